#include <microlith/messages/catalog.hpp>

#include <boost/test/unit_test.hpp>

using namespace microlith;

namespace {

struct opened {
  using message = event<"sample.opened">;
  std::string door;
};
BOOST_DESCRIBE_STRUCT(opened, (), (door))

struct opened_again {
  using message = event<"sample.opened", 2>;
  std::string door;
  int times = 0;
};
BOOST_DESCRIBE_STRUCT(opened_again, (), (door, times))

struct closed {
  using message = event<"sample.closed">;
};
BOOST_DESCRIBE_STRUCT(closed, (), ())

}  // namespace

BOOST_AUTO_TEST_SUITE(catalog)

BOOST_AUTO_TEST_CASE(a_type_is_found_by_its_wire_name) {
  type_catalog types;
  BOOST_TEST(types.add<opened>().has_value());
  BOOST_TEST((types.find("sample.opened") == &type_of<opened>()));
  BOOST_TEST((types.find("sample.closed") == nullptr));
  BOOST_TEST((types.find("") == nullptr));
}

BOOST_AUTO_TEST_CASE(adding_a_type_again_changes_nothing) {
  type_catalog types;
  BOOST_TEST(types.add<opened>().has_value());
  BOOST_TEST(types.add(type_of<opened>()).has_value());
  BOOST_TEST(types.types().size() == 1U);
}

BOOST_AUTO_TEST_CASE(two_types_of_one_wire_name_are_refused_with_both_named) {
  type_catalog types;
  BOOST_REQUIRE(types.add<opened>());
  auto refused = types.add<opened_again>();
  BOOST_REQUIRE(!refused);
  auto text = to_string(refused.error());
  BOOST_TEST(text.find("cannot add sample.opened, a event of version 2") == 0U);
  BOOST_TEST(text.find("a event of version 1 with fingerprint ") != std::string::npos);
  BOOST_TEST(text.find("(added times: i32)") != std::string::npos);
  BOOST_TEST((types.find("sample.opened") == &type_of<opened>()));
}

BOOST_AUTO_TEST_CASE(types_are_listed_in_the_order_of_their_names) {
  type_catalog types;
  BOOST_REQUIRE(types.add<opened>());
  BOOST_REQUIRE(types.add<closed>());
  std::string names;
  for (const auto& [name, type] : types.types())
    names += std::string{name} + ' ';
  BOOST_TEST(names == "sample.closed sample.opened ");
}

BOOST_AUTO_TEST_SUITE_END()
