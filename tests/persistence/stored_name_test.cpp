#include "support/temporary_directory.hpp"

#include <microlith/persistence/projection_store.hpp>
#include <microlith/persistence/stored_name.hpp>
#include <microlith/persistence/subscription_store.hpp>

#include <boost/test/unit_test.hpp>

#include <filesystem>
#include <string>
#include <vector>

using namespace microlith;
using test::temporary_directory;

namespace {

const std::vector<std::string> bad_names{"",
                                         ".",
                                         "..",
                                         ".hidden",
                                         "../x",
                                         "a/b",
                                         "a b",
                                         "new\nline",
                                         "caf\xc3\xa9",
                                         std::string(max_stored_name_bytes + 1, 'x'),
                                         std::string{"nul\0", 4}};

}  // namespace

BOOST_AUTO_TEST_SUITE(stored_name)

BOOST_AUTO_TEST_CASE(a_name_has_letters_digits_and_a_few_signs) {
  for (std::string good : {"shop", "auth.users", "a-b_c.9", "A", "9"})
    BOOST_TEST(is_stored_name(good), good);
  BOOST_TEST(is_stored_name(std::string(max_stored_name_bytes, 'x')));
  for (const auto& bad : bad_names)
    BOOST_TEST(!is_stored_name(bad), bad);
}

BOOST_AUTO_TEST_CASE(what_would_lie_elsewhere_is_refused_and_makes_no_folder) {
  for (const auto& bad : bad_names) {
    temporary_directory directory;
    auto data = directory.path() / "data";
    auto events = journal::open({.directory = data, .sync = false});
    BOOST_REQUIRE(events.has_value());
    auto rows = projection_store::open(projection{bad, 1}, {.directory = data}, **events);
    BOOST_REQUIRE(!rows);
    BOOST_TEST(rows.error().text.starts_with("a projection cannot be called \""),
               rows.error().text);
    auto held = subscription_store::open(bad, {.directory = data}, **events);
    BOOST_REQUIRE(!held);
    BOOST_TEST(held.error().text.starts_with("a durable subscription cannot be called \""));
    BOOST_TEST(!std::filesystem::exists(data / "projections"));
    BOOST_TEST(!std::filesystem::exists(data / "subscriptions"));
    auto inlined = journal::open({.directory = directory.path() / "other",
                                  .inline_projections = {projection{bad, 1}.is_inline()},
                                  .sync = false});
    BOOST_REQUIRE(!inlined);
    BOOST_TEST(inlined.error().text.starts_with("a projection cannot be called \""));
  }
}

BOOST_AUTO_TEST_CASE(what_is_said_of_a_bad_name_is_one_line) {
  BOOST_TEST(bad_stored_name("a component", "new\nline") ==
             "a component cannot be called \"new?line\": a name has 1 to 200 letters, digits, '-', "
             "'_' and '.', and does not begin with '.'");
}

BOOST_AUTO_TEST_SUITE_END()
