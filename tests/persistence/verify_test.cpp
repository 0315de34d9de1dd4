#include "persistence/samples.hpp"
#include "persistence/thing_rows.hpp"
#include "support/temporary_directory.hpp"

#include <microlith/persistence/internal/journal_file.hpp>
#include <microlith/persistence/journal_reader.hpp>
#include <microlith/persistence/projection_store.hpp>
#include <microlith/persistence/verify.hpp>

#include <boost/test/unit_test.hpp>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <random>
#include <set>

using namespace microlith;
namespace fs = std::filesystem;

namespace {

/// A data directory with everything that a stopped node leaves: a merged index, rows, long events.
class sample_data {
 public:
  explicit sample_data(std::size_t appends = 40) {
    auto j = sample::open_journal({.directory = path(), .merge_in_background = false});
    for (std::size_t i = 0; i < appends; ++i)
      sample::append_ok(*j, sample::to_stream("thing/" + std::to_string(i % 7), 1 + i % 3));
    append_request request;
    request.events.push_back({sample::made(std::string(10'000, 'x')), "thing/long"});
    sample::append_ok(*j, std::move(request));
    BOOST_REQUIRE(j->merge_now());
    sample::append_ok(*j, sample::to_stream("thing/last"));
    last_ = j->last_position();
    auto store = projection_store::open(sample::thing_rows(), {.directory = path()}, *j);
    BOOST_REQUIRE(store);
    BOOST_REQUIRE((*store)->catch_up(*j));
  }

  [[nodiscard]] const fs::path& path() const { return directory_.path(); }
  [[nodiscard]] fs::path journal_file() const { return path() / "journal" / "data.mdb"; }
  [[nodiscard]] std::uint64_t last() const { return last_; }

 private:
  test::temporary_directory directory_;
  std::uint64_t last_ = 0;
};

verify_report verified(const fs::path& data) {
  auto report = verify(data);
  if (!report)
    BOOST_FAIL(report.error().text);
  return *report;
}

std::string texts(const verify_report& report) {
  std::string all;
  for (const auto& f : report.findings)
    all += (f.is_damage ? "damage: " : "note: ") + f.part + ": " + f.text + '\n';
  return all;
}

/// All that can be read, in words; ends at the first event that cannot.
std::string contents(const fs::path& data) {
  auto reader = journal_reader::open(data);
  if (!reader)
    return reader.error().text;
  std::string all;
  auto done =
      (*reader)->read(1, {.events = 1'000'000, .bytes = 1'000'000'000}, [&](const record_view& r) {
        all +=
            std::to_string(r.position) + ' ' + std::string{r.stream} + ' ' + to_string(r.id) + ' ';
        all.append(reinterpret_cast<const char*>(r.body.data()), r.body.size());
      });
  return done ? all : all + done.error().text;
}

class patched_file {
 public:
  explicit patched_file(fs::path file)
      : file_{std::move(file)}, stream_{file_, std::ios::in | std::ios::out | std::ios::binary} {}

  void flip(std::uint64_t offset, unsigned bit) {
    stream_.seekg(static_cast<std::streamoff>(offset));
    auto byte = static_cast<char>(stream_.get());
    stream_.seekp(static_cast<std::streamoff>(offset));
    stream_.put(static_cast<char>(byte ^ (1 << bit)));
    stream_.flush();
  }

 private:
  fs::path file_;
  std::fstream stream_;
};

/// Flips bits one by one all over a file. Wherever that goes unnoticed it must not matter.
void flip_and_verify(const sample_data& data, const fs::path& name, std::uint64_t bytes,
                     std::size_t rounds) {
  auto before = contents(data.path());
  patched_file file{data.path() / name};
  std::mt19937_64 random{42};
  std::size_t noticed = 0;
  for (std::size_t round = 0; round < rounds; ++round) {
    auto offset = random() % bytes;
    auto bit = static_cast<unsigned>(random() % 8);
    file.flip(offset, bit);
    auto report = verify(data.path());
    if (!report || report->is_damaged())
      ++noticed;
    else
      BOOST_TEST((contents(data.path()) == before), "unnoticed at " << offset << ", bit " << bit);
    file.flip(offset, bit);
  }
  BOOST_TEST(noticed > rounds / 10);
  BOOST_TEST(!verified(data.path()).is_damaged());
}

}  // namespace

BOOST_AUTO_TEST_SUITE(verify)

BOOST_AUTO_TEST_CASE(what_a_node_left_is_fine) {
  sample_data data;
  auto report = verified(data.path());
  BOOST_TEST(texts(report).empty(), texts(report));
  BOOST_TEST(report.events == data.last());
  BOOST_TEST(report.streams == 9U);
  BOOST_TEST(report.projections == 1U);
  BOOST_TEST(report.rows > 0U);
  BOOST_TEST(report.index_entries > 0U);
}

BOOST_AUTO_TEST_CASE(damaged_events_are_named_from_the_first_on) {
  test::temporary_directory directory;
  auto file = directory.path() / "journal" / "data.mdb";
  {
    auto j = sample::open_journal({.directory = directory.path(), .merge_in_background = false});
    for (int i = 1; i <= 20; ++i)
      sample::append_ok(*j, sample::to_stream("thing-" + std::to_string(100 + i)));
  }
  std::string content;
  {
    std::ifstream in{file, std::ios::binary};
    content.assign(std::istreambuf_iterator<char>{in}, {});
  }
  for (int position : {7, 8, 9, 15}) {
    auto name = "thing-" + std::to_string(100 + position);
    for (auto at = content.find(name); at != std::string::npos; at = content.find(name, at + 1))
      content[at] = 'T';
  }
  std::ofstream{file, std::ios::binary} << content;
  auto report = verified(directory.path());
  BOOST_TEST(report.first_damaged_position() == 7U);
  BOOST_TEST(report.events == 16U);
  BOOST_TEST_REQUIRE(report.damages >= 2U);
  BOOST_TEST(report.findings[0].position == 7U);
  BOOST_TEST(report.findings[0].text.find("events 7 to 9 cannot be read") == 0U, texts(report));
  BOOST_TEST(report.findings[1].position == 15U);
}

// What no journal writes: each event is whole, and its number in the stream is not the next one.
BOOST_AUTO_TEST_CASE(a_stream_whose_versions_have_a_gap_or_repeat_is_damaged_there) {
  for (std::uint64_t third : {2U, 4U, 1U, 0U}) {
    test::temporary_directory directory;
    {
      auto opened = internal::journal_file::open(directory.path() / "journal",
                                                 internal::sensible_map_size({}), false);
      BOOST_TEST_REQUIRE(opened.has_value());
      auto& file = **opened;
      for (std::uint64_t version : {std::uint64_t{1}, std::uint64_t{2}, third}) {
        auto message = sample::made("a");
        auto type = file.types().intern(message.type());
        BOOST_TEST_REQUIRE(type.has_value());
        bytes record;
        auto checksum = internal::encode_record(record,
                                                {.position = file.last_position() + 1,
                                                 .stream_version = version,
                                                 .stream = "a",
                                                 .append = {},
                                                 .type = *type},
                                                message, {});
        internal::journal_file::writing writing{file};
        writing.add(record, checksum);
        file.publish(writing.commit());
      }
    }
    auto report = verified(directory.path());
    BOOST_TEST(report.is_damaged(), "version " << third);
    BOOST_TEST(report.first_damaged_position() == 3U, texts(report));
  }
}

BOOST_AUTO_TEST_CASE(rows_that_are_ahead_of_their_journal_are_damaged) {
  test::temporary_directory directory;
  auto journal = directory.path() / "journal";
  auto early = directory.path() / "early";
  auto append_and_catch_up = [&] {
    auto j = sample::open_journal({.directory = directory.path(), .merge_in_background = false});
    sample::append_ok(*j, sample::to_stream("thing", 5));
    auto store = projection_store::open(sample::thing_rows(), {.directory = directory.path()}, *j);
    BOOST_REQUIRE(store);
    BOOST_REQUIRE((*store)->catch_up(*j));
  };
  append_and_catch_up();
  fs::copy(journal, early, fs::copy_options::recursive);
  append_and_catch_up();
  BOOST_TEST(!verified(directory.path()).is_damaged());
  fs::remove_all(journal);
  fs::rename(early, journal);
  auto report = verified(directory.path());
  BOOST_TEST(report.is_damaged());
  BOOST_TEST(texts(report).find("damage: projection sample.things: it is ahead of the journal: it "
                                "has seen event 10") != std::string::npos,
             texts(report));
}

BOOST_AUTO_TEST_CASE(a_flipped_bit_of_the_journal_is_noticed_or_does_not_matter) {
  sample_data data;
  flip_and_verify(data, "journal/data.mdb", 16 * 4096, 1500);
}

BOOST_AUTO_TEST_SUITE_END()
