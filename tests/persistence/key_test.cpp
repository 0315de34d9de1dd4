#include "support/golden.hpp"

#include <microlith/persistence/key.hpp>

#include <boost/test/unit_test.hpp>
#include <rapidcheck.h>

#include <algorithm>
#include <limits>

using namespace microlith;

namespace {

template <class T>
bytes encoded(const T& value) {
  auto key = encode_key(value);
  return {key.view().begin(), key.view().end()};
}

/// Bytes compare as values do, and the value comes back.
template <class T>
void check_order(const T& a, const T& b) {
  RC_ASSERT((encoded(a) < encoded(b)) == (a < b));
  RC_ASSERT((encoded(a) == encoded(b)) == (a == b));
  T back{};
  RC_ASSERT(decode_key(encoded(a), back));
  RC_ASSERT(back == a);
}

// Short, of few different characters, and with zeros, so that prefixes and escapes are common.
rc::Gen<std::string> texts() {
  return rc::gen::container<std::string>(rc::gen::element('\0', '\1', 'a', 'b', '\xff'));
}

}  // namespace

BOOST_AUTO_TEST_SUITE(key)

BOOST_AUTO_TEST_CASE(integers_keep_their_order) {
  BOOST_TEST(rc::check([](std::int64_t a, std::int64_t b) { check_order(a, b); }));
  BOOST_TEST(rc::check([](std::uint32_t a, std::uint32_t b) { check_order(a, b); }));
  BOOST_TEST(rc::check([](std::int8_t a, std::int8_t b) { check_order(a, b); }));
  BOOST_TEST(rc::check([](bool a, bool b) { check_order(a, b); }));
  BOOST_TEST((encoded(std::numeric_limits<std::int64_t>::min()) < encoded(std::int64_t{-1})));
  BOOST_TEST((encoded(std::int64_t{-1}) < encoded(std::int64_t{0})));
}

BOOST_AUTO_TEST_CASE(strings_keep_their_order_whatever_bytes_they_hold) {
  BOOST_TEST(rc::check([] { check_order(*texts(), *texts()); }));
}

BOOST_AUTO_TEST_CASE(tuples_compare_by_their_members) {
  BOOST_TEST(rc::check([](std::int32_t n, std::int32_t m) {
    check_order(std::tuple{*texts(), n, *texts()}, std::tuple{*texts(), m, *texts()});
    check_order(std::pair{*texts(), *texts()}, std::pair{*texts(), *texts()});
  }));
}

BOOST_AUTO_TEST_CASE(ids_and_times_keep_their_order) {
  BOOST_TEST(rc::check([](std::uint64_t a, std::uint64_t b, std::uint64_t c, std::uint64_t d) {
    check_order(message_id{a, b}, message_id{c, d});
    check_order(message_id{a, b}, message_id{a, d});
  }));
  using time = std::chrono::sys_time<std::chrono::microseconds>;
  BOOST_TEST(rc::check([](std::int64_t a, std::int64_t b) {
    check_order(time{std::chrono::microseconds{a}}, time{std::chrono::microseconds{b}});
  }));
}

BOOST_AUTO_TEST_CASE(the_first_members_of_a_tuple_are_a_prefix_of_it) {
  auto prefix = encoded(std::tuple{std::string{"a\0b", 3}});
  auto whole = encoded(std::tuple{std::string{"a\0b", 3}, 7});
  BOOST_TEST(std::equal(prefix.begin(), prefix.end(), whole.begin()));
}

BOOST_AUTO_TEST_CASE(bytes_that_are_no_key_are_not_read_as_one) {
  BOOST_TEST(rc::check([](const std::vector<std::uint8_t>& raw) {
    auto data = std::as_bytes(std::span{raw});
    std::tuple<std::string, std::uint16_t> value;
    if (decode_key(data, value)) {
      auto again = encoded(value);
      RC_ASSERT(std::equal(again.begin(), again.end(), data.begin(), data.end()));
    }
  }));
}

// Rows that are there would not be found under another encoding.
BOOST_AUTO_TEST_CASE(keys_are_encoded_as_ever) {
  using time = std::chrono::sys_time<std::chrono::microseconds>;
  bytes all;
  auto add = [&](const auto& value) {
    auto one = encoded(value);
    all.push_back(static_cast<std::byte>(one.size()));
    all.insert(all.end(), one.begin(), one.end());
  };
  add(true);
  add(std::uint8_t{1});
  add(std::uint32_t{0x01020304});
  add(std::int16_t{-2});
  add(std::int64_t{0x0102030405060708});
  add(std::string{"a\0\xff\1", 4});
  add(message_id{0x0102030405060708, 0x090A0B0C0D0E0F10});
  add(time{std::chrono::microseconds{-1}});
  add(std::tuple{std::string{"a"}, std::uint16_t{7}, std::string{"b"}});
  BOOST_TEST(test::hex(all) == test::hex(test::golden("persistence/keys_v1.hex")));
}

BOOST_AUTO_TEST_CASE(a_key_that_is_too_long_is_refused) {
  BOOST_CHECK_NO_THROW((void)encoded(std::string(max_key_bytes - 2, 'x')));
  BOOST_CHECK_THROW((void)encoded(std::string(max_key_bytes - 1, 'x')), storage_exception);
}

BOOST_AUTO_TEST_SUITE_END()
