// Pages that LMDB would die of are found before it opens a file, and while records are read.

#include "persistence/data_files.hpp"
#include "persistence/samples.hpp"
#include "support/temporary_directory.hpp"

#include <microlith/persistence/internal/opening_check.hpp>
#include <microlith/persistence/internal/page_file.hpp>
#include <microlith/persistence/internal/page_layout.hpp>
#include <microlith/persistence/journal.hpp>

#include <boost/test/unit_test.hpp>

#include <cstdint>
#include <functional>
#include <initializer_list>
#include <string>

namespace {

using namespace microlith;
using namespace sample;
namespace layout = microlith::internal::page_layout;

constexpr std::size_t page_bytes = 4096;

std::uint16_t& short_at(std::string& content, std::size_t at) {
  return *reinterpret_cast<std::uint16_t*>(content.data() + at);
}

/// Where the page's first entry is.
std::size_t first_entry(std::string& content, std::uint64_t page) {
  auto begin = page * page_bytes;
  return begin + short_at(content, begin + layout::head_bytes);
}

struct journal_on_disk {
  explicit journal_on_disk(std::uint64_t events) {
    auto j = open_journal(options());
    for (std::uint64_t done = 0; done < events; done += 100)
      append_ok(*j, to_stream("a", 100));
    BOOST_TEST(j->merge_now().has_value());
  }
  /// All is in the index, so that opening reads no records.
  [[nodiscard]] journal_options options() const {
    return {.directory = directory.path(),
            .merge_threshold = 100,
            .merge_in_background = false,
            .sync = false};
  }
  [[nodiscard]] internal::page_snapshot snapshot() const {
    return *internal::page_file{file}.look();
  }

  test::temporary_directory directory;
  fs::path file = directory.path() / "journal" / "data.mdb";
};

}  // namespace

BOOST_AUTO_TEST_SUITE(opening_check)

BOOST_AUTO_TEST_CASE(a_healthy_file_has_no_problem) {
  journal_on_disk made{300};
  BOOST_TEST(internal::opening_problem(made.file).empty());
}

BOOST_AUTO_TEST_CASE(pages_that_end_lmdb_are_refused_and_it_says_what_to_do) {
  journal_on_disk made{300};
  // A newer witness would tell of the main table before.
  fs::remove(made.directory.path() / "journal" / "witness");
  const auto whole = bytes_of(made.file);
  auto seen = made.snapshot();
  constexpr std::uint16_t has_duplicates = 0x04;
  auto refused = [&](auto damage) {
    auto content = whole;
    damage(content);
    overwrite(made.file, content);
    auto error = open_error(made.options());
    BOOST_TEST((error.kind == storage_error_kind::damaged), error.text);
    BOOST_TEST(error.text.find("data.mdb is damaged: ") != std::string::npos, error.text);
    BOOST_TEST(error.text.find("Restore a backup") != std::string::npos, error.text);
  };
  // The main table's entries, its kind, and where it is.
  refused(
      [&](std::string& c) { short_at(c, first_entry(c, seen.main.root) + 4) |= has_duplicates; });
  refused([&](std::string& c) {
    short_at(c, seen.main.root * page_bytes + layout::page_flags_at) = 0;
  });
  // The free pages: what they are in, and which they are.
  refused(
      [&](std::string& c) { short_at(c, first_entry(c, seen.free.root) + 4) |= has_duplicates; });
  refused([&](std::string& c) {
    short_at(c, first_entry(c, seen.free.root) + 4) = layout::node_is_tree;
  });
  refused([&](std::string& c) {
    auto entry = first_entry(c, seen.free.root);
    c[entry + layout::node_head_bytes + sizeof(std::size_t) + 1] = '\x7F';
  });
  // The way to the last record.
  internal::page_file file{made.file};
  auto records = internal::find_tree(file, seen, "records");
  BOOST_TEST_REQUIRE((records && records->depth > 1));
  refused(
      [&](std::string& c) { short_at(c, records->root * page_bytes + layout::bounds_at) = 16; });
  overwrite(made.file, whole);
  BOOST_TEST(open_journal(made.options())->last_position() == 300U);
}

BOOST_AUTO_TEST_CASE(a_damaged_page_of_records_is_located_and_not_followed) {
  journal_on_disk made{300};
  const auto whole = bytes_of(made.file);
  internal::page_file file{made.file};
  auto records = internal::find_tree(file, made.snapshot(), "records");
  BOOST_TEST_REQUIRE((records && records->depth == 2));
  auto content = whole;
  auto first_leaf = layout::child_of(
      reinterpret_cast<const std::byte*>(content.data() + first_entry(content, records->root)));
  auto reads = [&](auto damage) {
    content = whole;
    damage(content);
    overwrite(made.file, content);
    auto j = open_journal(made.options());
    return j->read(1, {}, [](const record_view&) {});
  };
  auto begin = first_leaf * page_bytes;
  for (auto damage : std::initializer_list<std::function<void(std::string&)>>{
           // Of a kind that LMDB follows without looking.
           [&](std::string& c) { short_at(c, first_entry(c, first_leaf) + 4) = 0x04; },
           [&](std::string& c) { short_at(c, first_entry(c, first_leaf) + 4) = 0x01; },
           [&](std::string& c) { short_at(c, first_entry(c, first_leaf) + 2) = 0x7FFF; },
           [&](std::string& c) { short_at(c, first_entry(c, first_leaf) + 6) = 0x7FFF; },
           [&](std::string& c) { short_at(c, begin + layout::head_bytes) = 0xFFF0; },
           [&](std::string& c) { short_at(c, begin + layout::bounds_at) = 0xFFF0; },
           [&](std::string& c) {
             short_at(c, begin + layout::page_flags_at) = layout::branch_flag;
           },
           [&](std::string& c) { short_at(c, begin) = 0; }}) {
    auto read = reads(damage);
    BOOST_TEST_REQUIRE(read.has_error());
    BOOST_TEST((read.error().kind == storage_error_kind::damaged), read.error().text);
    BOOST_TEST(read.error().position == 1U);
  }
  // Where the way to the first leaf leads out of the file.
  auto read =
      reads([&](std::string& c) { short_at(c, first_entry(c, records->root) + 2) = 0x7FFF; });
  BOOST_TEST(read.has_error());
}

BOOST_AUTO_TEST_SUITE_END()
