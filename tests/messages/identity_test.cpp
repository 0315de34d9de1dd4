#include <microlith/messages/coarse_clock.hpp>
#include <microlith/messages/identity.hpp>

#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <set>
#include <thread>
#include <unordered_set>

using namespace microlith;

BOOST_AUTO_TEST_SUITE(identity)

BOOST_AUTO_TEST_CASE(ids_of_one_thread_increase) {
  auto last = message_id::make();
  for (int i = 0; i < 100'000; ++i) {
    auto next = message_id::make();
    BOOST_REQUIRE((last < next));
    last = next;
  }
}

BOOST_AUTO_TEST_CASE(ids_of_several_threads_differ_and_increase_in_each) {
  constexpr std::size_t threads = 4;
  constexpr std::size_t each = 50'000;
  std::vector<std::vector<message_id>> made(threads);
  {
    std::vector<std::jthread> running;
    for (auto& mine : made)
      running.emplace_back([&mine] {
        mine.reserve(each);
        for (std::size_t i = 0; i < each; ++i)
          mine.push_back(message_id::make());
      });
  }
  std::set<std::uint64_t> highs;
  for (const auto& mine : made) {
    BOOST_TEST(std::is_sorted(mine.begin(), mine.end()));
    for (const auto& id : mine)
      highs.insert(id.high);
  }
  // The time part alone is never given out twice, so the order is strict across threads, too.
  BOOST_TEST(highs.size() == threads * each);
}

BOOST_AUTO_TEST_CASE(an_id_carries_the_version_and_variant_of_rfc_9562) {
  for (int i = 0; i < 1000; ++i) {
    auto id = message_id::make();
    BOOST_REQUIRE(((id.high >> 12) & 0xF) == 7U);
    BOOST_REQUIRE((id.low >> 62) == 2U);
  }
}

BOOST_AUTO_TEST_CASE(an_id_carries_the_time_when_it_was_made) {
  using namespace std::chrono;
  auto before = floor<milliseconds>(internal::coarse_system_now());
  auto id = message_id::make();
  BOOST_TEST((id.time() >= before));
  BOOST_TEST((message_id::parse("018f0e5a-7c3b-7abc-9def-0123456789ab")->time() ==
              sys_time<milliseconds>{milliseconds{0x018f0e5a7c3b}}));
}

BOOST_AUTO_TEST_CASE(the_text_form_is_a_uuid_and_reads_back) {
  message_id id{0x018f0e5a7c3b7abc, 0x9def0123456789ab};
  BOOST_TEST(to_string(id) == "018f0e5a-7c3b-7abc-9def-0123456789ab");
  BOOST_TEST((message_id::parse("018F0E5A-7C3B-7ABC-9DEF-0123456789AB") == id));
  for (int i = 0; i < 1000; ++i) {
    auto made = message_id::make();
    BOOST_REQUIRE((message_id::parse(to_string(made)) == made));
  }
}

BOOST_AUTO_TEST_CASE(anything_else_is_not_read) {
  for (std::string_view text : {
           "",
           "018f0e5a7c3b7abc9def0123456789ab",
           "018f0e5a-7c3b-7abc-9def-0123456789a",
           "018f0e5a-7c3b-7abc-9def-0123456789abc",
           "018f0e5a-7c3b-7abc-9def-0123456789ag",
           "018f0e5a+7c3b-7abc-9def-0123456789ab",
           "018f0e5a-7c3b-7abc-9def 0123456789ab",
           "{018f0e5a-7c3b-7abc-9def-0123456789a",
           "-18f0e5a-7c3b-7abc-9def-0123456789ab",
       })
    BOOST_TEST(!message_id::parse(text).has_value(), text);
}

BOOST_AUTO_TEST_CASE(the_empty_id_is_none) {
  BOOST_TEST(message_id{}.empty());
  BOOST_TEST(!message_id::make().empty());
  BOOST_TEST(to_string(message_id{}) == "00000000-0000-0000-0000-000000000000");
}

BOOST_AUTO_TEST_CASE(ids_of_different_roles_are_different_types) {
  static_assert(!std::is_convertible_v<message_id, correlation_id>);
  static_assert(!std::is_same_v<message_id, correlation_id>);
}

BOOST_AUTO_TEST_CASE(the_order_is_by_the_high_half_first) {
  BOOST_TEST((message_id{1, 9} < message_id{2, 0}));
  BOOST_TEST((message_id{1, 1} < message_id{1, 2}));
}

BOOST_AUTO_TEST_CASE(hashes_of_neighbours_differ) {
  std::unordered_set<std::size_t> hashes;
  for (int i = 0; i < 10'000; ++i)
    hashes.insert(std::hash<message_id>{}(message_id::make()));
  BOOST_TEST(hashes.size() == 10'000U);
}

BOOST_AUTO_TEST_SUITE_END()
