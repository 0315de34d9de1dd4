#include "microlith/child.hpp"

#include "apps/microlith/tool.hpp"

#include <boost/test/unit_test.hpp>

#include <csignal>
#include <fstream>
#include <iostream>
#include <iterator>

using microlith::test::child_process;
using tool::test::lines_of;

namespace {

// What a program says and returns that does this.
child_process::ending program(const std::function<int()>& run) {
  std::cout << std::flush;  // or it would say again what the tests have said
  return child_process{[&] {
           auto code = run();
           std::cout << std::flush;
           ::_exit(code);
         }}
      .wait();
}

child_process::ending in_child(const std::function<int()>& look) {
  return program([&] { return tool::in_child("the/data", look); });
}

int die_of(int number) {
  // As without what a sanitizer does about it.
  std::signal(number, SIG_DFL);
  std::raise(number);
  return 0;
}

void check_complaint(const child_process::ending& end, int code, const std::string& part) {
  BOOST_TEST(end.signal == 0);
  BOOST_TEST(end.code == code);
  BOOST_TEST(lines_of(end.err).size() == 1U, end.err);
  BOOST_TEST(end.err.starts_with("microlith: "), end.err);
  BOOST_TEST(end.err.find("the/data") != std::string::npos, end.err);
  BOOST_TEST(end.err.find(part) != std::string::npos, end.err);
}

}  // namespace

BOOST_AUTO_TEST_SUITE(child)

BOOST_AUTO_TEST_CASE(what_the_child_returns_and_prints_is_the_end_of_it) {
  for (int code : {0, 1, 2}) {
    auto end = in_child([&] {
      std::cout << "seen\n" << std::flush;
      return code;
    });
    BOOST_TEST(end.code == code);
    BOOST_TEST(end.out == "seen\n");
    BOOST_TEST(end.err.empty());
  }
}

BOOST_AUTO_TEST_CASE(what_was_printed_before_is_printed_once) {
  auto end = program([] {
    std::cout << "before\n";
    auto code = tool::in_child("the/data", [] {
      std::cout << "seen\n" << std::flush;
      return 0;
    });
    std::cout << "after\n";
    return code;
  });
  BOOST_TEST(end.out == "before\nseen\nafter\n");
}

BOOST_AUTO_TEST_CASE(an_exception_is_a_complaint) {
  auto end = in_child([]() -> int { throw std::runtime_error{"the/data is out of reach"}; });
  check_complaint(end, 2, "out of reach");
}

BOOST_AUTO_TEST_CASE(a_child_that_dies_of_what_it_sees_has_found_damage) {
  for (int number : {SIGBUS, SIGSEGV, SIGILL, SIGFPE, SIGABRT}) {
    auto end = in_child([&] { return die_of(number); });
    check_complaint(end, 1, "is damaged so that looking at it ends in a signal");
    BOOST_TEST(end.err.find("restore a backup") != std::string::npos);
  }
}

BOOST_AUTO_TEST_CASE(a_child_that_is_killed_has_found_nothing) {
  for (int number : {SIGKILL, SIGTERM, SIGXCPU}) {
    auto end = in_child([&] { return die_of(number); });
    check_complaint(end, 2, "was ended by a signal");
    BOOST_TEST(end.err.find("damaged") == std::string::npos, end.err);
  }
}

BOOST_AUTO_TEST_SUITE_END()
