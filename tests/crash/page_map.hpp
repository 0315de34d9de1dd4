#pragma once

// Which bytes of an LMDB data file mean something: those of pages in use that LMDB or we would ever
// look at. What is left (free pages, room on pages, padding) may change without harm.
//
// Written apart from the readers in persistence/, so that one does not repeat the mistakes of the
// other. Expects a healthy file. The layout is LMDB's own (mdb.c, data format version 1).

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

namespace microlith::test {

struct meaningful_bytes {
  std::uint64_t offset = 0;
  std::uint64_t length = 0;
  std::string what;  ///< "meta", "free: branch", "records: leaf", …
};

[[nodiscard]] std::vector<meaningful_bytes> map_of(const std::filesystem::path& data_file);

}  // namespace microlith::test
