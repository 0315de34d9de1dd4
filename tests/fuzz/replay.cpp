// Runs a fuzz target over what has been kept: every input that ever broke something, and those that
// get around in it. Needs no fuzzer.
//
//     fuzz_NAME_replay DIRECTORY…

#include "fuzz/fuzz.hpp"

#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>

int main(int argc, char** argv) {
  std::size_t inputs = 0;
  for (int i = 1; i < argc; ++i) {
    for (const auto& entry : std::filesystem::directory_iterator{argv[i]}) {
      std::ifstream in{entry.path(), std::ios::binary};
      const std::string input{std::istreambuf_iterator<char>{in}, {}};
      LLVMFuzzerTestOneInput(reinterpret_cast<const std::uint8_t*>(input.data()), input.size());
      ++inputs;
    }
  }
  std::fprintf(stderr, "%zu inputs: every promise held\n", inputs);
  return inputs > 0 ? 0 : 2;
}
