// The contract of every journal, run by each there is.

#include "persistence/samples.hpp"
#include "support/temporary_directory.hpp"

#include <microlith/persistence/journal.hpp>
#include <microlith/persistence/memory_journal.hpp>

#include <boost/test/unit_test.hpp>

#include <filesystem>
#include <memory>
#include <ostream>
#include <vector>

namespace {

struct journal_fixture {
  microlith::test::temporary_directory directory;
  std::unique_ptr<microlith::journal> opened;
  microlith::journal& journal() { return *opened; }
};

/// A way to have an empty journal.
struct journal_implementation {
  const char* name;
  std::unique_ptr<microlith::journal> (*open)(const std::filesystem::path&);

  [[nodiscard]] std::unique_ptr<journal_fixture> make() const {
    auto fixture = std::make_unique<journal_fixture>();
    fixture->opened = open(fixture->directory.path());
    return fixture;
  }
  friend std::ostream& operator<<(std::ostream& out, const journal_implementation& one) {
    return out << one.name;
  }
};

std::vector<journal_implementation> journal_implementations() {
  return {
      {"in memory", [](const std::filesystem::path&) { return microlith::make_memory_journal(); }},
      {"on disk",
       [](const std::filesystem::path& path) {
         return sample::open_journal({.directory = path, .sync = false});
       }},
      // Nearly everything is looked up in merged runs.
      {"on disk, merging all the time",
       [](const std::filesystem::path& path) {
         return sample::open_journal({.directory = path,
                                      .merge_threshold = 1,
                                      .merge_in_background = false,
                                      .sync = false});
       }},
      {"on disk, merging in the background",
       [](const std::filesystem::path& path) {
         return sample::open_journal({.directory = path, .merge_threshold = 2, .sync = false});
       }},
  };
}

}  // namespace

// Last: it brings the suite.
#include "contracts/journal_contract.hpp"
