#pragma once

// A directory for rows, and a journal in memory with things made in it.

#include "persistence/samples.hpp"
#include "support/temporary_directory.hpp"

#include <microlith/persistence/memory_journal.hpp>
#include <microlith/persistence/projection_store.hpp>

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <utility>

namespace sample {

struct projection_fixture {
  test::temporary_directory directory;
  std::unique_ptr<journal> source = make_memory_journal();

  static std::unique_ptr<projection_store> open_in(const std::filesystem::path& directory,
                                                   const journal& source, projection_group group) {
    auto opened =
        projection_store::open(std::move(group), {.directory = directory, .sync = false}, source);
    if (!opened)
      BOOST_FAIL(opened.error().text);
    return std::move(*opened);
  }

  [[nodiscard]] std::unique_ptr<projection_store> open(projection_group group) const {
    return open_in(directory.path(), *source, std::move(group));
  }

  static void make(journal& in, std::string name, std::uint32_t size = 1) {
    append_request request;
    request.events.push_back({made(std::move(name), size), ""});
    append_ok(in, request);
  }

  void make(std::string name, std::uint32_t size) const { make(*source, std::move(name), size); }

  /// To the end of the journal.
  static void catch_up(projection_store& store, const journal& source, std::uint64_t page = 1000) {
    for (bool more = true; more;) {
      auto progress = store.catch_up(source, page);
      if (!progress)
        BOOST_FAIL(progress.error().text);
      more = progress->more;
    }
  }
};

}  // namespace sample
