// A journal on disk, its indexes and a projection beside a model of a few containers: whatever is
// appended, merged, read and opened again, all agree.

#include "persistence/samples.hpp"
#include "support/temporary_directory.hpp"

#include <microlith/persistence/projection_store.hpp>

#include <boost/test/unit_test.hpp>
#include <rapidcheck.h>

#include <algorithm>
#include <iterator>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

using namespace microlith;
using namespace sample;

namespace {

struct stream_row {
  std::uint64_t events = 0;
  std::uint64_t last_position = 0;
  friend bool operator==(const stream_row&, const stream_row&) = default;
};
BOOST_DESCRIBE_STRUCT(stream_row, (), (events, last_position))
constexpr table<std::string, stream_row> rows{"streams"};

projection last_positions() {
  projection p{"model.streams", 1};
  p.keeps(rows);
  p.on<thing_made_event>([](const thing_made_event&, const event_info& info, write_transaction& t) {
    auto row = rows.get(t, std::string{info.stream}).value_or(stream_row{});
    rows.put(t, std::string{info.stream}, {row.events + 1, info.position});
  });
  return p;
}

struct modeled_event {
  std::string stream;
  std::uint64_t version = 0;
  envelope message;
  message_id append;
};

/// What a journal is, without a disk.
class model {
 public:
  append_outcome append(const append_request& request) {
    if (!request.id.empty()) {
      if (auto known = appends.find(request.id); known != appends.end())
        return already_appended{known->second.first, known->second.last};
    }
    for (const auto& check : request.checks) {
      auto actual = streams[check.stream].size();
      if (!check.expected.met_by(actual))
        return append_conflict{check.stream, check.expected.text(), actual};
    }
    for (const auto& event : request.events) {
      if (auto known = position_of(event.message.head().id); known != 0)
        return already_appended{known, known};
    }
    if (request.events.empty())
      return appended{};
    auto first = events.size() + 1;
    for (const auto& event : request.events) {
      std::uint64_t version = 0;
      if (!event.stream.empty()) {
        streams[event.stream].push_back(events.size() + 1);
        version = streams[event.stream].size();
      }
      events.push_back({event.stream, version, event.message, request.id});
    }
    if (!request.id.empty())
      appends.emplace(request.id, append_positions{first, events.size()});
    return appended{first, events.size()};
  }

  [[nodiscard]] std::uint64_t position_of(message_id id) const {
    auto found = std::find_if(events.begin(), events.end(), [&](const modeled_event& event) {
      return event.message.head().id == id;
    });
    return found == events.end() ? 0 : static_cast<std::uint64_t>(found - events.begin()) + 1;
  }

  [[nodiscard]] std::map<std::string, stream_row> fold(std::uint64_t up_to) const {
    std::map<std::string, stream_row> all;
    for (std::uint64_t i = 0; i < up_to; ++i)
      all[events[i].stream] = {all[events[i].stream].events + 1, i + 1};
    return all;
  }

  std::vector<modeled_event> events;
  std::map<std::string, std::vector<std::uint64_t>> streams;
  std::map<message_id, append_positions> appends;
};

/// All that is open, and the model beside it.
class world {
 public:
  world() { open(); }

  void open() {
    store_.reset();
    journal_.reset();
    auto options = journal_options{.directory = directory_.path(),
                                   .map_limit_bytes = std::size_t{64} << 20,
                                   .merge_threshold = threshold_,
                                   .merge_in_background = false,
                                   .sync = false};
    journal_ = open_journal(options);
    auto store = projection_store::open(
        last_positions(),
        {.directory = directory_.path(), .map_limit_bytes = std::size_t{64} << 20, .sync = false},
        *journal_);
    RC_ASSERT(store.has_value());
    store_ = std::move(*store);
  }

  void append() {
    std::vector<append_request> batch(*rc::gen::inRange<std::size_t>(1, 4));
    std::vector<append_outcome> expected;
    for (auto& request : batch) {
      request.id = *rc::gen::inRange(0, 8) == 0 ? message_id{} : message_id::make();
      if (!model_.appends.empty() && *rc::gen::inRange(0, 8) == 0)
        request.id = any(model_.appends).first;
      if (*rc::gen::inRange(0, 2) == 0) {
        auto version = *rc::gen::inRange<std::uint64_t>(0, 6);
        const expected_version rules[]{expected_version::any(), expected_version::no_stream(),
                                       expected_version::stream_exists(),
                                       expected_version::exactly(version)};
        request.checks.push_back(
            {"s" + std::to_string(*rc::gen::inRange(1, 5)), rules[*rc::gen::inRange(0, 4)]});
      }
      auto count = *rc::gen::inRange(0, 4);
      for (int i = 0; i < count; ++i)
        request.events.push_back({message_of(thing_made_event{"m"}, talk()), stream()});
      if (!model_.events.empty() && *rc::gen::inRange(0, 8) == 0) {
        auto again = *rc::gen::inRange<std::size_t>(0, model_.events.size());
        request.events.push_back({model_.events[again].message, stream()});
      }
      expected.push_back(model_.append(request));
    }
    RC_ASSERT(journal_->append(batch) == expected);
  }

  void merge() { RC_ASSERT(journal_->merge_now().has_value()); }
  void catch_up() {
    RC_ASSERT(store_->catch_up(*journal_, *rc::gen::inRange<std::uint64_t>(1, 9)).has_value());
  }
  void rebuild() { RC_ASSERT(store_->rebuild(*journal_).has_value()); }

  void check() {
    check_records();
    check_streams();
    check_ids();
    check_rows();
  }

 private:
  static std::string stream() {
    auto number = *rc::gen::inRange(0, 5);
    return number == 0 ? "" : "s" + std::to_string(number);
  }
  correlation_id talk() const { return {1, *rc::gen::inRange<std::uint64_t>(1, 4)}; }
  static const std::pair<const message_id, append_positions>& any(
      const std::map<message_id, append_positions>& from) {
    return *std::next(from.begin(), *rc::gen::inRange<std::ptrdiff_t>(
                                        0, static_cast<std::ptrdiff_t>(from.size())));
  }

  void check_records() const {
    RC_ASSERT(journal_->last_position() == model_.events.size());
    auto position = *rc::gen::inRange<std::uint64_t>(1, model_.events.size() + 2);
    auto read = journal_->read(position, {.events = 1'000'000}, [&](const record_view& r) {
      const auto& expected = model_.events[position - 1];
      RC_ASSERT(r.position == position++);
      RC_ASSERT(std::string{r.stream} == expected.stream);
      RC_ASSERT(r.stream_version == expected.version);
      RC_ASSERT((r.id == expected.message.head().id && r.append == expected.append &&
                 r.correlation == expected.message.head().correlation));
    });
    RC_ASSERT(read.has_value());
    RC_ASSERT(position == model_.events.size() + 1);
  }

  void check_streams() {
    for (int i = 1; i < 6; ++i) {
      auto name = "s" + std::to_string(i);
      const auto& expected = model_.streams[name];
      RC_ASSERT(*journal_->stream_version(name) == expected.size());
      auto from = *rc::gen::inRange<std::uint64_t>(1, expected.size() + 2);
      std::vector<std::uint64_t> rest{expected.begin() + static_cast<std::ptrdiff_t>(from - 1),
                                      expected.end()};
      RC_ASSERT(positions_of(*journal_, name, from) == rest);
    }
  }

  void check_ids() const {
    for (const auto& [id, positions] : model_.appends)
      RC_ASSERT((*journal_->append_of(id) == positions));
    std::map<std::uint64_t, std::vector<std::uint64_t>> conversations;
    for (std::uint64_t i = 0; i < model_.events.size(); ++i) {
      const auto& head = model_.events[i].message.head();
      RC_ASSERT((*journal_->position_of(head.id) == i + 1));
      conversations[head.correlation.low].push_back(i + 1);
    }
    RC_ASSERT(!journal_->position_of(message_id::make())->has_value());
    for (std::uint64_t number = 1; number < 4; ++number) {
      auto after = *rc::gen::inRange<std::uint64_t>(0, model_.events.size() + 1);
      auto expected = conversations[number];
      std::erase_if(expected, [&](auto position) { return position <= after; });
      auto limit = *rc::gen::inRange<std::size_t>(1, expected.size() + 2);
      expected.resize(std::min(expected.size(), limit));
      RC_ASSERT(*journal_->conversation({1, number}, after, limit) == expected);
    }
  }

  void check_rows() const {
    std::map<std::string, stream_row> found;
    store_->read([&](const read_transaction& t) {
      rows.for_each(
          t, [&](const std::string& name, const stream_row& row) { found.emplace(name, row); });
    });
    RC_ASSERT(found == model_.fold(store_->checkpoint()));
  }

  test::temporary_directory directory_;
  std::size_t threshold_ = *rc::gen::inRange<std::size_t>(1, 12);
  model model_;
  std::unique_ptr<journal> journal_;
  std::unique_ptr<projection_store> store_;
};

}  // namespace

BOOST_AUTO_TEST_SUITE(journal_model)

BOOST_AUTO_TEST_CASE(a_journal_its_indexes_and_a_projection_agree_with_a_model) {
  BOOST_TEST(rc::check([] {
    world w;
    auto steps = *rc::gen::inRange(1, 40);
    for (int step = 0; step < steps; ++step) {
      switch (*rc::gen::inRange(0, 12)) {
        case 0:
          w.merge();
          break;
        case 1:
          w.open();
          break;
        case 2:
          w.rebuild();
          break;
        case 3:
        case 4:
          w.catch_up();
          break;
        case 5:
          w.check();
          break;
        default:
          w.append();
      }
    }
    w.check();
    w.open();
    w.check();
  }));
}

BOOST_AUTO_TEST_SUITE_END()
