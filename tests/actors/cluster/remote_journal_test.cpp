#include "actors/samples.hpp"
#include "support/scripted_journal.hpp"

#include <microlith/actors/internal/cluster/remote_journal.hpp>
#include <microlith/persistence/memory_journal.hpp>

#include <boost/test/unit_test.hpp>

#include <algorithm>

using namespace microlith;
using namespace samples;

namespace {

/// Answers as the node with the journal would, or worse.
class pages_of final : public internal::remote_reader {
 public:
  explicit pages_of(const journal& from) : from_{from} {}

  result<internal::wire::page, storage_error> ask_journal(internal::wire::read question) override {
    internal::wire::page page;
    if (question.what == internal::wire::question::types) {
      for (const auto& type : from_.types()) {
        page.numbers.push_back(type.id);
        page.schemas.push_back(type.schema);
      }
      return page;
    }
    ++asked;
    auto read = from_.read(question.from, {.events = std::min<std::uint64_t>(question.events, 3)},
                           [&](const record_view& record) {
                             page.records.push_back({record.position, bytes(record.stored.begin(),
                                                                            record.stored.end())});
                             return true;
                           });
    page.next = read->next;
    page.end = read->end;
    if (damage != 0)
      page.records.back().stored[damage] ^= std::byte{1};
    return page;
  }

  int asked = 0;
  std::size_t damage = 0;

 private:
  const journal& from_;
};

}  // namespace

BOOST_AUTO_TEST_SUITE(remote_journal)

BOOST_AUTO_TEST_CASE(pages_are_read_one_after_the_other_and_verified) {
  auto real = make_memory_journal();
  for (int i = 0; i < 10; ++i)
    test::append_behind_its_back(*real, account_opened{std::to_string(i)}, "test.account/x");
  pages_of reader{*real};
  internal::remote_journal remote{reader};
  BOOST_TEST(remote.connect(real->epoch(), real->last_position()));
  BOOST_TEST(!remote.connect(message_id::make(), 1));
  std::vector<std::uint64_t> positions;
  auto visit = [&](const record_view& record) {
    positions.push_back(record.position);
    return record.position != 8;
  };
  auto all = remote.read(1, {.events = 7}, visit).value();
  BOOST_TEST((all == read_progress{.next = 8, .events = 7, .end = false}));
  all = remote.read(8, {}, visit).value();
  BOOST_TEST((all == read_progress{.next = 9, .events = 1, .end = false}));
  all = remote.read(9, {}, visit).value();
  BOOST_TEST((all == read_progress{.next = 11, .events = 2, .end = true}));
  BOOST_TEST(positions.size() == 10U);
  auto asked = reader.asked;
  all = remote.read(11, {}, visit).value();
  BOOST_TEST((all == read_progress{.next = 11, .events = 0, .end = true}));
  BOOST_TEST(reader.asked == asked, "the end is known without asking");
  reader.damage = 40;
  auto damaged = remote.read(1, {}, visit);
  BOOST_REQUIRE(!damaged.has_value());
  BOOST_TEST((damaged.error().kind == storage_error_kind::damaged));
  BOOST_TEST(damaged.error().position == 3U);
}

BOOST_AUTO_TEST_SUITE_END()
