#pragma once

// Builds a runtime and takes it down again, in the order in which its parts need each other.
//
// For node.cpp; one thread.

#include <microlith/actors/internal/actors_part.hpp>

namespace microlith::internal {

struct cluster_setup;
class hosted_components;

class node_assembly {
 public:
  /// Without actors yet.
  static std::shared_ptr<runtime> make(node_options options);
  /// The actor system, and the actors that every node has.
  static void start_actors(runtime& of);
  /// Before the actors are started.
  static void join_cluster(runtime& of, cluster_setup setup, hosted_components& hosted);
  /// Everything that was admitted ends, or is told that it has not; then no actor is left.
  static void stop(runtime& of);
  /// Stores and journal. The actors have ended.
  static void close(runtime& of);

 private:
  static void drain(runtime::actors_part& part);
  static void flush(runtime::actors_part& part);
  static void quit(runtime::actors_part& part);
};

}  // namespace microlith::internal
