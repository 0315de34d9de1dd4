#pragma once

// What the fuzz targets share. A target is a function over bytes that nobody vouches for; it ends
// the program where a promise is broken. libFuzzer calls it (https://llvm.org/docs/LibFuzzer.html),
// or replay.cpp does with what has been kept in corpus/.

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <span>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

namespace microlith::test {

/// Ends the program: the fuzzer keeps the input that got here.
inline void must(bool holds, const char* promise) {
  if (holds)
    return;
  std::fprintf(stderr, "broken: %s\n", promise);
  std::abort();
}

/// In a build of its own there is a bug, behind what only the right input gets to: it must be
/// found.
inline void planted_bug([[maybe_unused]] bool reached) {
#ifdef MICROLITH_PLANTED_BUG
  must(!reached, "the planted bug");
#endif
}

}  // namespace microlith::test
