#include "apps/microlith/tool.hpp"

#include <boost/test/unit_test.hpp>

using tool::test::run;

BOOST_AUTO_TEST_SUITE(program)

BOOST_AUTO_TEST_CASE(help_has_examples_and_exits_fine) {
  for (const auto& arguments :
       {std::vector<std::string>{"--help"}, {"journal", "--help"}, {"journal", "ls", "--help"}}) {
    auto end = run(arguments);
    BOOST_TEST(end.code == 0);
    BOOST_TEST(end.out.find("microlith journal ls") != std::string::npos);
    BOOST_TEST(end.err.empty());
  }
}

BOOST_AUTO_TEST_CASE(version_is_one_line) {
  auto end = run({"--version"});
  BOOST_TEST(end.code == 0);
  BOOST_TEST(end.out.starts_with("microlith "));
  BOOST_TEST(tool::test::lines_of(end.out).size() == 1U);
}

BOOST_AUTO_TEST_CASE(wrong_use_is_one_line_and_exits_2) {
  for (const auto& arguments : {std::vector<std::string>{},
                                {"nonsense"},
                                {"journal"},
                                {"journal", "nonsense"},
                                {"journal", "ls"},
                                {"journal", "ls", "--data"},
                                {"journal", "ls", "--data", "x", "--from", "minus one"},
                                {"journal", "ls", "--data", "x", "--correlation", "abc"},
                                {"journal", "ls", "--data", "x", "--since", "yesterday"},
                                {"journal", "stats", "--data", "x", "--wrong"}}) {
    auto end = run(arguments);
    BOOST_TEST(end.code == 2);
    BOOST_TEST(end.out.empty());
    BOOST_TEST(end.err.starts_with("microlith: "));
    BOOST_TEST(tool::test::lines_of(end.err).size() == 1U);
  }
}

BOOST_AUTO_TEST_CASE(wrong_use_names_what_there_is) {
  auto says = [](const std::vector<std::string>& arguments, const std::string& text) {
    auto end = run(arguments);
    BOOST_TEST(end.code == 2);
    BOOST_TEST(end.err == "microlith: " + text + '\n');
  };
  const std::string groups = "microlith has journal, projection, subscription, cluster; ";
  says({}, "name a command; " + groups + "see microlith --help");
  says({"jurnal"}, "there is no 'jurnal'; " + groups + "see microlith --help");
  const std::string commands =
      "microlith projection has ls, rebuild, drop; see microlith projection --help";
  says({"projection"}, "name a command; " + commands);
  says({"projection", "list"}, "there is no 'list'; " + commands);
  says({"journal", "show", "--data", "x"},
       "position-or-id is required; see microlith journal show --help");
}

BOOST_AUTO_TEST_SUITE_END()
