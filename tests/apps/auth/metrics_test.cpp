#include "auth/metrics.hpp"

#include <boost/test/unit_test.hpp>

BOOST_AUTO_TEST_SUITE(metrics)

BOOST_AUTO_TEST_CASE(refusals_are_shown_by_reason) {
  microlith::statistics node;
  node.refused = {{"no_handler", 3}, {"overloaded", 0}, {"stopped", 1}};
  const auth::metrics all{[&] { return node; }, [] { return std::size_t{0}; }};
  auto text = all.text();
  for (const char* line : {"microlith_refused_total{reason=\"no_handler\"} 3\n",
                           "microlith_refused_total{reason=\"overloaded\"} 0\n",
                           "microlith_refused_total{reason=\"stopped\"} 1\n"})
    BOOST_TEST(text.find(line) != std::string::npos, line);
}

BOOST_AUTO_TEST_SUITE_END()
