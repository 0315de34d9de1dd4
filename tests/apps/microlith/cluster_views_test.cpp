#include "microlith/cluster_views.hpp"

#include <boost/json/parse.hpp>
#include <boost/json/value.hpp>
#include <boost/test/unit_test.hpp>

using microlith::cluster_status;
using microlith::node_answer;

namespace {

/// One that has something of everything, and one that is not there.
std::vector<node_answer> two_nodes() {
  cluster_status at;
  at.node = "a";
  at.hosts = {"shop", "journal"};
  at.waiting = {"shop"};
  at.moving = "mail moves from node a to node b";
  at.journal_position = 77;
  at.in_flight = 3;
  at.handling = 4;
  at.appending = 5;
  at.held = 6;
  at.followers = {{"rows", 70, 7, "the disk is full"}};
  microlith::other_node link;
  link.name = "b";
  link.there = true;
  link.forwarded = 8;
  link.messages_sent = 9;
  link.messages_received = 10;
  link.unacknowledged_bytes = 2'048;
  link.round_trip_us = 11;
  link.reconnects = 12;
  at.others = {link};
  return {{"a", "127.0.0.1:4101", at, {}}, {"b", "127.0.0.1:4102", {}, "nobody listens"}};
}

}  // namespace

BOOST_AUTO_TEST_SUITE(cluster_views)

BOOST_AUTO_TEST_CASE(the_text_says_what_runs_what_lags_and_how_the_links_are) {
  auto text = tool::text_of(two_nodes());
  for (const char* part :
       {"a  127.0.0.1:4101  hosts shop, journal", "cannot start yet: shop", "journal at 77",
        "3 in flight", "4 of other nodes in work", "5 appends on their way",
        "6 held until a component has moved", "mail moves from node a to node b",
        "rows  up to 70, 7 events behind", "the disk is full", "link to b  there",
        "round trip 11 us", "9 sent, 10 received", "2.0 KiB on their way",
        "8 forwarded and not done", "12 reconnects", "b  127.0.0.1:4102  not there",
        "nobody listens"})
    BOOST_TEST(text.find(part) != std::string::npos, "'" << part << "' is not in: " << text);
}

BOOST_AUTO_TEST_CASE(as_json_it_is_one_line_with_all_of_it) {
  auto text = tool::json_of(two_nodes());
  BOOST_TEST(text.find('\n') == std::string::npos);
  auto nodes = boost::json::parse(text).as_array();
  BOOST_REQUIRE(nodes.size() == 2U);
  BOOST_TEST(nodes[0].at("there").as_bool());
  const auto& at = nodes[0].at("status");
  BOOST_TEST(at.at("journal_position").to_number<int>() == 77);
  BOOST_TEST(at.at("followers").as_array()[0].at("lag").to_number<int>() == 7);
  BOOST_TEST(at.at("others").as_array()[0].at("forwarded").to_number<int>() == 8);
  BOOST_TEST(!nodes[1].at("there").as_bool());
  BOOST_TEST(nodes[1].at("why").as_string() == "nobody listens");
}

BOOST_AUTO_TEST_SUITE_END()
