#pragma once

// What a node knows of its cluster, and of itself, at one moment. Values.

#include <boost/describe.hpp>

#include <cstdint>
#include <string>
#include <vector>

namespace microlith {

/// Another node as this one sees it.
struct other_node {
  std::string name;
  std::string address;
  bool there = false;               ///< it has joined, is not cut off, and has said what it does
  std::string why;                  ///< where it is not there
  std::vector<std::string> serves;  ///< commands and queries
  std::vector<std::string> wants;   ///< events and rejections
  std::uint64_t forwarded = 0;      ///< messages that it has and has not finished
  std::uint64_t waiting_bytes = 0;  ///< that could not be sent to it yet
  std::uint64_t messages_sent = 0;
  std::uint64_t messages_received = 0;
  std::uint64_t unacknowledged_bytes = 0;
  double round_trip_us = 0;
  std::uint64_t reconnects = 0;
};
BOOST_DESCRIBE_STRUCT(other_node, (),
                      (name, address, there, why, serves, wants, forwarded, waiting_bytes,
                       messages_sent, messages_received, unacknowledged_bytes, round_trip_us,
                       reconnects))

struct component_place {
  std::string name;
  std::string node;
  std::uint64_t epoch = 0;  ///< how often it has moved
};
BOOST_DESCRIBE_STRUCT(component_place, (), (name, node, epoch))

/// Something of this node that follows the journal: a projection, or a durable subscription.
struct follower_status {
  std::string name;
  std::uint64_t position = 0;
  std::uint64_t lag = 0;  ///< events that the journal has beyond it
  std::string trouble;    ///< why it does not go on
};
BOOST_DESCRIBE_STRUCT(follower_status, (), (name, position, lag, trouble))

struct cluster_status {
  std::string node;  ///< this one; empty: there is no cluster
  std::string journal_node;
  std::vector<std::string> hosts;    ///< components with their place here
  std::vector<std::string> waiting;  ///< of these, what could not start yet
  std::vector<std::string> serves;
  std::vector<std::string> wants;
  std::vector<component_place> places;  ///< of all components, as far as this node knows
  std::string moving;                   ///< what moves at this moment, in words; mostly empty
  std::uint64_t journal_position = 0;   ///< as far as this node knows
  std::uint64_t in_flight = 0;          ///< messages that were dispatched here and are not done
  std::uint64_t handling = 0;           ///< messages of other nodes that are not finished here
  std::uint64_t appending = 0;          ///< appends that the journal's node has not answered
  std::uint64_t held = 0;               ///< messages that wait until a component has moved
  std::vector<follower_status> followers;
  std::vector<other_node> others;
};
BOOST_DESCRIBE_STRUCT(cluster_status, (),
                      (node, journal_node, hosts, waiting, serves, wants, places, moving,
                       journal_position, in_flight, handling, appending, held, followers, others))

}  // namespace microlith
