#include <microlith/messages/message_type.hpp>
#include <microlith/messages/upcast.hpp>

#include <boost/test/unit_test.hpp>

#include <stdexcept>

using namespace microlith;

namespace shop {

struct placed_v2 {
  using message = event<"shop.placed", 2>;
  std::string item;
  int count = 0;
};
BOOST_DESCRIBE_STRUCT(placed_v2, (), (item, count))

struct placed_v3 {
  using message = event<"shop.placed", 3>;
  using previous = placed_v2;
  std::vector<std::string> items;
};
BOOST_DESCRIBE_STRUCT(placed_v3, (), (items))

placed_v3 upcast(placed_v2 old) {
  if (old.count > 100)
    throw std::runtime_error("too many");
  return {.items = std::vector<std::string>(static_cast<std::size_t>(old.count), old.item)};
}

struct placed {
  using message = event<"shop.placed", 4>;
  using previous = placed_v3;
  std::vector<std::string> items;
  std::string note;
};
BOOST_DESCRIBE_STRUCT(placed, (), (items, note))

placed upcast(placed_v3 old) {
  return {.items = std::move(old.items), .note = "upcast"};
}

}  // namespace shop

BOOST_AUTO_TEST_SUITE(upcast)

BOOST_AUTO_TEST_CASE(the_current_version_is_decoded_as_it_is) {
  auto in = encode(shop::placed{.items = {"tea"}, .note = "new"});
  BOOST_TEST(decode_version<shop::placed>(4, in).value().note == "new");
}

BOOST_AUTO_TEST_CASE(an_older_version_goes_through_every_upcast) {
  auto in = encode(shop::placed_v2{.item = "tea", .count = 2});
  auto now = decode_version<shop::placed>(2, in);
  BOOST_REQUIRE(now);
  BOOST_TEST(now->note == "upcast");
  BOOST_TEST(now->items == (std::vector<std::string>{"tea", "tea"}));
}

BOOST_AUTO_TEST_CASE(a_type_descriptor_decodes_older_versions_too) {
  auto in = encode(shop::placed_v3{.items = {"tea"}});
  auto body = type_of<shop::placed>().decode(3, in);
  BOOST_REQUIRE(body);
  BOOST_TEST(static_cast<const shop::placed*>(body->get())->note == "upcast");
}

BOOST_AUTO_TEST_CASE(versions_that_are_not_known_are_errors_that_say_which_are) {
  BOOST_TEST(to_string(decode_version<shop::placed>(5, {}).error()) ==
             "cannot decode shop.placed: version 5 is newer than versions 2 to 4, which are known "
             "here; run a build that knows it");
  BOOST_TEST(to_string(decode_version<shop::placed>(1, {}).error()) ==
             "cannot decode shop.placed: version 1 is older than versions 2 to 4, which are known "
             "here; keep its struct and an upcast from it");
  BOOST_TEST(
      decode_version<shop::placed_v2>(3, {}).error().reason ==
      "version 3 is newer than version 2, the only one known here; run a build that knows it");
}

BOOST_AUTO_TEST_CASE(damage_in_an_old_version_is_found_in_the_old_layout) {
  auto in = encode(shop::placed_v2{.item = "tea", .count = 2});
  in.pop_back();
  BOOST_TEST(decode_version<shop::placed>(2, in).error().field == "count");
}

BOOST_AUTO_TEST_CASE(an_upcast_that_throws_is_an_error) {
  auto in = encode(shop::placed_v2{.item = "tea", .count = 101});
  BOOST_TEST(decode_version<shop::placed>(2, in).error().reason ==
             "the upcast to version 3 threw: too many");
}

BOOST_AUTO_TEST_CASE(the_oldest_readable_version_is_known) {
  static_assert(oldest_version<shop::placed>() == 2);
  static_assert(oldest_version<shop::placed_v2>() == 2);
}

BOOST_AUTO_TEST_SUITE_END()
