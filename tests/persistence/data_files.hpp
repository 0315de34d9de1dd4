#pragma once

// What tests do to the files of a journal, and processes of their own for what may end one.

#include "persistence/samples.hpp"

#include <microlith/persistence/internal/data_file.hpp>
#include <microlith/persistence/journal.hpp>

#include <boost/test/unit_test.hpp>

#include <cstddef>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <utility>

namespace sample {

namespace fs = std::filesystem;

inline std::string bytes_of(const fs::path& file) {
  std::ifstream in{file, std::ios::binary};
  return {std::istreambuf_iterator<char>{in}, {}};
}

inline void overwrite(const fs::path& file, const std::string& content) {
  std::ofstream{file, std::ios::binary | std::ios::trunc} << content;
}

inline storage_error open_error(journal_options options) {
  auto opened = journal::open(std::move(options));
  BOOST_REQUIRE(opened.has_error());
  return opened.error();
}

/// What LMDB uses of a data file; behind it there is a hole.
inline std::size_t used_bytes(const fs::path& file) {
  auto state = microlith::internal::inspect_data_file(file);
  BOOST_REQUIRE((state && state->newest));
  return (state->newest->last_page + 1) * state->newest->page_bytes;
}

}  // namespace sample
