#include "persistence/samples.hpp"

#include <microlith/persistence/internal/record_layout.hpp>

#include <boost/test/unit_test.hpp>
#include <rapidcheck.h>

#include <cctype>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>

using namespace microlith;
using namespace microlith::internal;

namespace {

/// A record in which everything that is optional is there and differs.
bytes full_record() {
  envelope_head head;
  head.id = {0x0101010101010101, 0x0202020202020202};
  head.correlation = {0x0303030303030303, 0x0404040404040404};
  head.causation = {0x0505050505050505, 0x0606060606060606};
  head.root = {0x0707070707070707, 0x0808080808080808};
  head.time = wall_time{std::chrono::microseconds{1'700'000'000'123'456}};
  head.depth = 3;
  bytes facts;
  encode_facts(facts, {"here", {"alice", {"admin"}}, {{"trace", "t-1"}}});
  bytes out;
  encode_record(out,
                {.position = 17,
                 .stream_version = 5,
                 .stream = "things/anvil",
                 .append = {0x0909090909090909, 0x0A0A0A0A0A0A0A0A},
                 .type = 2},
                envelope{head, sample::thing_made_event{"anvil", 9}}, facts);
  return out;
}

std::string hex(std::span<const std::byte> data) {
  static constexpr char digits[] = "0123456789abcdef";
  std::string text;
  for (std::size_t i = 0; i < data.size(); ++i) {
    text += digits[std::to_integer<unsigned>(data[i]) >> 4];
    text += digits[std::to_integer<unsigned>(data[i]) & 15];
    if (i % 16 == 15 || i + 1 == data.size())
      text += '\n';
  }
  return text;
}

bytes unhex(const std::string& text) {
  bytes out;
  std::string pair;
  for (char c : text) {
    if (std::isxdigit(static_cast<unsigned char>(c)) != 0)
      pair += c;
    if (pair.size() == 2) {
      out.push_back(static_cast<std::byte>(std::stoi(pair, nullptr, 16)));
      pair.clear();
    }
  }
  return out;
}

void check_full(const bytes& record) {
  parsed_record parsed;
  BOOST_TEST_REQUIRE(parse_record(17, record, parsed) == nullptr);
  const auto& view = parsed.view;
  BOOST_TEST(parsed.type == 2U);
  BOOST_TEST(view.position == 17U);
  BOOST_TEST(view.stream == "things/anvil");
  BOOST_TEST(view.stream_version == 5U);
  BOOST_TEST((view.time == wall_time{std::chrono::microseconds{1'700'000'000'123'456}}));
  BOOST_TEST((view.id == message_id{0x0101010101010101, 0x0202020202020202}));
  BOOST_TEST((view.correlation == correlation_id{0x0303030303030303, 0x0404040404040404}));
  BOOST_TEST((view.causation == message_id{0x0505050505050505, 0x0606060606060606}));
  BOOST_TEST((view.root == message_id{0x0707070707070707, 0x0808080808080808}));
  BOOST_TEST((view.append == message_id{0x0909090909090909, 0x0A0A0A0A0A0A0A0A}));
  BOOST_TEST(view.depth == 3U);
  BOOST_TEST(view.key == 0U);
  auto facts = facts_of(view);
  BOOST_TEST_REQUIRE(facts.has_value());
  BOOST_TEST(facts->origin == "here");
  BOOST_TEST(facts->principal.subject == "alice");
  BOOST_TEST(facts->principal.has_role("admin"));
  BOOST_TEST(facts->headers.at("trace") == "t-1");
  auto event = decode<sample::thing_made_event>(view.body);
  BOOST_TEST_REQUIRE(event.has_value());
  BOOST_TEST(event->name == "anvil");
  BOOST_TEST(event->size == 9U);
}

}  // namespace

BOOST_AUTO_TEST_SUITE(record_layout)

BOOST_AUTO_TEST_CASE(a_record_holds_everything_that_was_put_into_it) {
  check_full(full_record());
}

BOOST_AUTO_TEST_CASE(records_of_layout_1_are_readable_for_ever) {
  std::ifstream file{std::filesystem::path{MICROLITH_TESTS_DIR} /
                     "golden/persistence/record_v1.hex"};
  std::string text{std::istreambuf_iterator<char>{file}, {}};
  BOOST_TEST_REQUIRE(!text.empty());
  check_full(unhex(text));
  // What is written today is the same, byte by byte.
  BOOST_TEST(hex(full_record()) == text);
}

BOOST_AUTO_TEST_CASE(any_change_of_any_bit_is_noticed) {
  auto record = full_record();
  parsed_record parsed;
  for (std::size_t at = 0; at < record.size(); ++at) {
    for (int bit = 0; bit < 8; ++bit) {
      record[at] ^= static_cast<std::byte>(1 << bit);
      BOOST_REQUIRE(parse_record(17, record, parsed) != nullptr);
      record[at] ^= static_cast<std::byte>(1 << bit);
    }
  }
  BOOST_TEST(parse_record(17, record, parsed) == nullptr);
}

BOOST_AUTO_TEST_CASE(a_record_at_another_position_is_not_believed) {
  parsed_record parsed;
  BOOST_TEST(parse_record(18, full_record(), parsed) != nullptr);
}

BOOST_AUTO_TEST_CASE(a_record_cut_anywhere_is_noticed) {
  auto record = full_record();
  parsed_record parsed;
  for (std::size_t size = 0; size < record.size(); ++size)
    BOOST_REQUIRE(parse_record(17, std::span{record}.first(size), parsed) != nullptr);
}

BOOST_AUTO_TEST_CASE(ids_that_repeat_take_no_room_and_come_back) {
  BOOST_TEST(rc::check([] {
    auto id_of = [](int which) { return message_id{static_cast<std::uint64_t>(which), 1}; };
    auto some_id = [&] {
      auto which = *rc::gen::inRange(0, 4);
      return which == 0 ? message_id{} : id_of(which);
    };
    envelope_head head;
    head.id = id_of(1);
    head.correlation = {1, 1};
    head.causation = some_id();
    head.root = some_id();
    auto append = some_id();
    bytes record;
    encode_record(record, {.position = 1, .stream = "", .append = append, .type = 1},
                  envelope{head, sample::thing_made_event{"", 0}}, {});
    parsed_record parsed;
    RC_ASSERT(parse_record(1, record, parsed) == nullptr);
    RC_ASSERT(parsed.view.causation == head.causation);
    RC_ASSERT(parsed.view.root == head.root);
    RC_ASSERT(parsed.view.append == append);
    RC_ASSERT(parsed.view.stream_version == 0U);
  }));
}

BOOST_AUTO_TEST_SUITE_END()
