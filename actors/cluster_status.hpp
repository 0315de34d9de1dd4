#pragma once

// What a node knows of its cluster at one moment. A value.

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
  std::vector<std::string> hosts;   ///< components that the cluster file gives it
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

struct cluster_status {
  std::string node;  ///< this one; empty: there is no cluster
  std::string journal_node;
  std::vector<std::string> hosts;    ///< components with their place here
  std::vector<std::string> waiting;  ///< of these, what could not start yet
  std::vector<std::string> serves;
  std::vector<std::string> wants;
  std::uint64_t journal_position = 0;  ///< as far as this node knows
  std::uint64_t handling = 0;          ///< messages of other nodes that are not finished here
  std::vector<other_node> others;
};

}  // namespace microlith
