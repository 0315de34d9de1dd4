// A journal whose file was damaged: refused or located, never served.

#include "persistence/child.hpp"
#include "persistence/data_files.hpp"
#include "persistence/samples.hpp"
#include "support/temporary_directory.hpp"

#include <microlith/persistence/internal/journal_file.hpp>
#include <microlith/persistence/internal/witness.hpp>
#include <microlith/persistence/journal.hpp>
#include <microlith/persistence/journal_reader.hpp>
#include <microlith/persistence/verify.hpp>

#include <boost/test/unit_test.hpp>
#include <sys/mman.h>

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace {

using namespace microlith;
using namespace sample;

/// Whether every record that can be read is the one that was written.
bool refused_or_equal(const fs::path& folder, const std::vector<std::string>& expected) {
  auto opened = microlith::internal::journal_file::open(folder, {1 << 20, 1 << 20}, false);
  if (!opened)
    return true;
  if ((*opened)->last_position() != expected.size())
    return false;
  microlith::internal::journal_file::reading records{**opened};
  microlith::internal::parsed_record record;
  for (std::uint64_t position = 1; position <= expected.size(); ++position) {
    if (records.load(position, record))
      continue;
    auto event = decode<thing_made_event>(record.view.body);
    auto text = std::to_string(position) + ' ' + std::string{record.view.stream} + '@' +
                std::to_string(record.view.stream_version) + ' ' + (event ? event->name : "?");
    if (text != expected[position - 1])
      return false;
  }
  return true;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(journal_damage)

BOOST_AUTO_TEST_CASE(a_cut_file_is_refused_and_says_so) {
  test::temporary_directory directory;
  auto file = directory.path() / "journal" / "data.mdb";
  append_ok(*open_journal({.directory = directory.path()}), to_stream("a", 200));
  auto whole = bytes_of(file).substr(0, used_bytes(file));
  for (auto size : {whole.size() - 1, whole.size() - 4096, whole.size() / 2, std::size_t{8192},
                    std::size_t{4096}, std::size_t{1}, std::size_t{0}}) {
    overwrite(file, whole.substr(0, size));
    auto error = open_error({.directory = directory.path()});
    BOOST_TEST((error.kind == storage_error_kind::damaged), size << " bytes: " << error.text);
    BOOST_TEST(error.text.find("estore a backup") != std::string::npos);
  }
  fs::remove(file);
  BOOST_TEST((open_error({.directory = directory.path()}).kind == storage_error_kind::damaged));
  overwrite(file, whole);
  BOOST_TEST(open_journal({.directory = directory.path()})->last_position() == 200U);
}

BOOST_AUTO_TEST_CASE(a_lost_last_commit_is_refused_and_says_so) {
  test::temporary_directory directory;
  auto file = directory.path() / "journal" / "data.mdb";
  {
    auto j = open_journal({.directory = directory.path()});
    for (int i = 0; i < 5; ++i)
      append_ok(*j, to_stream("a"));
  }
  auto whole = bytes_of(file);
  // One bit in the number of the transaction on either meta page: with the newer one's, LMDB goes
  // back to the older one.
  constexpr std::size_t transaction_at = 16 + 128;
  int refused = 0;
  for (std::size_t page : {0U, 1U}) {
    auto damaged = whole;
    auto& low = damaged[page * 4096 + transaction_at];
    low = static_cast<char>(low ^ 4);
    overwrite(file, damaged);
    auto opened = journal::open({.directory = directory.path()});
    if (opened) {
      BOOST_TEST((*opened)->last_position() == 5U);
    } else {
      ++refused;
      BOOST_TEST(opened.error().text.find("last commits are missing") != std::string::npos,
                 opened.error().text);
    }
  }
  BOOST_TEST(refused == 1);
  overwrite(file, whole);
  // A witness that is missing or not whole is no damage.
  fs::remove(directory.path() / "journal" / "witness");
  BOOST_TEST(open_journal({.directory = directory.path()})->last_position() == 5U);
  overwrite(directory.path() / "journal" / "witness", "nonsense");
  BOOST_TEST(open_journal({.directory = directory.path()})->last_position() == 5U);
}

BOOST_AUTO_TEST_CASE(a_witness_that_is_ahead_tells_of_damage_and_any_other_of_none) {
  test::temporary_directory directory;
  auto file = directory.path() / "journal" / "witness";
  std::optional<internal::witnessed> early;
  {
    auto j = open_journal({.directory = directory.path()});
    for (int i = 0; i < 5; ++i) {
      append_ok(*j, to_stream("a"));
      if (i == 2)
        early = internal::read_witness(file);
    }
  }
  const auto last = internal::read_witness(file);
  BOOST_TEST_REQUIRE((early && last && early->position == 3 && last->position == 5));
  // Whoever looks at the journal, node, reader or `verify`, says the same.
  auto is_damaged = [&](const std::optional<internal::witnessed>& seen) {
    fs::remove(file);
    if (seen)
      internal::witness{file}.write(*seen);
    auto report = verify(directory.path()).value();
    auto read = journal_reader::open(directory.path());
    auto opened = journal::open({.directory = directory.path()});
    BOOST_TEST(report.is_damaged() == opened.has_error());
    BOOST_TEST(read.has_error() == opened.has_error());
    if (!opened)
      BOOST_TEST((opened.error().kind == storage_error_kind::damaged), opened.error().text);
    if (!read)
      BOOST_TEST((read.error().kind == storage_error_kind::damaged), read.error().text);
    return opened.has_error();
  };
  auto other = [&](auto change) {
    auto seen = *last;
    change(seen);
    return is_damaged(seen);
  };
  BOOST_TEST(!is_damaged(last));
  BOOST_TEST(!is_damaged(std::nullopt));
  BOOST_TEST(!is_damaged(early));
  BOOST_TEST(!other([](auto& seen) {
    seen.epoch = {1, 2};
    seen.position = 9;
    seen.meta_hash = 0;
  }));
  BOOST_TEST(other([](auto& seen) { seen.position = 7; }));
  BOOST_TEST(verify(directory.path())->first_damaged_position() == 6U);
  BOOST_TEST(other([](auto& seen) { ++seen.transaction; }));
  BOOST_TEST(other([](auto& seen) { ++seen.running_hash; }));
}

BOOST_AUTO_TEST_CASE(no_flipped_bit_is_ever_served) {
  test::temporary_directory directory;
  auto folder = directory.path() / "journal";
  auto file = folder / "data.mdb";
  std::vector<std::string> expected;
  {
    auto j = open_journal({.directory = directory.path(), .sync = false});
    append_ok(*j, to_stream("a", 12));
    append_request big;
    big.events.push_back({made(std::string(3000, 'y')), "big"});
    append_ok(*j, big);
    append_ok(*j, to_stream("b", 12));
    expected = everything_in(*j);
  }
  const auto whole = bytes_of(file);
  const auto used = used_bytes(file);
  // Where pages begin, they are described: every byte of that. In between some, at all distances
  // from where entries begin; crash_damage tries the others.
  constexpr std::size_t page_bytes = 4096;
  constexpr std::size_t described_bytes = 64;
  constexpr std::size_t step = 13;
  struct progress {
    std::size_t at;
    bool served;
  };
  auto* shared = static_cast<progress*>(
      ::mmap(nullptr, sizeof(progress), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0));
  BOOST_TEST_REQUIRE(shared != MAP_FAILED);
  *shared = {0, false};
  bool ended = in_child([&] {
    std::fstream data{file, std::ios::binary | std::ios::in | std::ios::out};
    auto put = [&](std::size_t at, int c) {
      data.seekp(static_cast<std::streamoff>(at));
      data.put(static_cast<char>(c));
      data.flush();
    };
    while (shared->at < used) {
      put(shared->at, whole[shared->at] ^ (1 << (shared->at % 8)));
      shared->served = !refused_or_equal(folder, expected);
      if (shared->served)
        break;
      put(shared->at, whole[shared->at]);
      shared->at += shared->at % page_bytes < described_bytes ? 1 : step;
    }
    return true;
  });
  BOOST_TEST(ended, "it died of a flipped bit in byte " << shared->at);
  BOOST_TEST(!shared->served, "a flipped bit in byte " << shared->at << " was served");
  ::munmap(shared, sizeof(progress));
}

BOOST_AUTO_TEST_CASE(damage_is_located_and_what_comes_before_it_is_read) {
  test::temporary_directory directory;
  auto file = directory.path() / "journal" / "data.mdb";
  auto options = journal_options{
      .directory = directory.path(), .merge_threshold = 2, .merge_in_background = false};
  {
    auto j = open_journal(options);
    append_ok(*j, to_stream("a", 5));
    append_request special;
    special.events.push_back({made("the one that breaks"), "a"});
    append_ok(*j, special);
    append_ok(*j, to_stream("a", 5));
    BOOST_TEST(j->merge_now().has_value());
  }
  auto content = bytes_of(file);
  for (auto at = content.find("the one that breaks"); at != std::string::npos;
       at = content.find("the one that breaks", at + 1))
    content[at] = 'T';
  overwrite(file, content);
  auto j = open_journal(options);
  std::vector<std::uint64_t> seen;
  auto visit = [&](const record_view& r) { seen.push_back(r.position); };
  auto read = j->read(1, {}, visit);
  BOOST_TEST_REQUIRE(read.has_error());
  BOOST_TEST((read.error().kind == storage_error_kind::damaged));
  BOOST_TEST(read.error().position == 6U);
  BOOST_TEST(read.error().text.find("event 6 ") == 0U);
  BOOST_TEST(seen == (std::vector<std::uint64_t>{1, 2, 3, 4, 5}), boost::test_tools::per_element());
  read = j->read_stream("a", 1, {}, visit);
  BOOST_TEST_REQUIRE(read.has_error());
  BOOST_TEST(read.error().position == 6U);
  BOOST_TEST(j->read(7, {}, visit).has_value());
}

BOOST_AUTO_TEST_SUITE_END()
