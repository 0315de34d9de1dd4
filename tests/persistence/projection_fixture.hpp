#pragma once

// A directory for rows, and a journal in memory with things made in it.

#include "persistence/samples.hpp"
#include "support/temporary_directory.hpp"

#include <microlith/persistence/memory_journal.hpp>
#include <microlith/persistence/projection_store.hpp>

#include <cstdint>
#include <memory>
#include <string>
#include <utility>

namespace sample {

struct projection_fixture {
  test::temporary_directory directory;
  std::unique_ptr<journal> source = make_memory_journal();

  [[nodiscard]] std::unique_ptr<projection_store> open(projection_group group) const {
    auto opened = projection_store::open(std::move(group),
                                         {.directory = directory.path(), .sync = false}, *source);
    if (!opened)
      BOOST_FAIL(opened.error().text);
    return std::move(*opened);
  }

  void make(std::string name, std::uint32_t size) const {
    append_request request;
    request.events.push_back({made(std::move(name), size), ""});
    append_ok(*source, request);
  }
};

}  // namespace sample
