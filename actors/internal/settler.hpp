#pragma once

// What follows from a commit: waits end, subscribers and other nodes hear of the events, who asked
// is reported to, and what follows the journal is rung. The writer's.

#include <microlith/actors/internal/actors_part.hpp>

#include <boost/unordered/unordered_flat_map.hpp>

#include <memory>
#include <optional>
#include <vector>

namespace microlith::internal {

/// Jobs that were taken together, and what became of each.
struct committed_batch {
  std::vector<std::unique_ptr<append_job>> jobs;
  std::vector<append_outcome> outcomes;
  bool wrote = false;  ///< something may have been written
};

class settler {
 public:
  explicit settler(runtime& of);

  void settle(committed_batch& batch);
  /// Events that the node with the journal has published, for those who subscribe here.
  void publish(const event_batch& published);

 private:
  void settle(append_job& job, append_outcome&& outcome, steady_time now);
  void settle_elsewhere(append_job& job, append_outcome&& outcome, steady_time now);
  void succeeded(append_job& job, std::uint64_t position, steady_time now);
  void replayed(append_job& job, const already_appended& before, steady_time now);
  [[nodiscard]] std::optional<already_appended> earlier_events(const append_job& job) const;
  void list_passing(const append_job& job);
  void tell_waits();
  void tell_subscribers(const envelope& given);
  void send_outbox();
  void ring_followers(bool wrote);
  void count(const message_type& type);
  void look_at_subscribers();
  void look_at_followers();

  runtime::actors_part& node_;
  std::vector<const envelope*> passing_;  // what one job publishes
  conclusions gathered_;                  // of this commit, and not told yet
  std::shared_ptr<const subscriber_table> subscribers_;
  std::uint64_t subscribers_version_ = 0;
  std::shared_ptr<const projector_table> projectors_;
  std::uint64_t projectors_version_ = 0;
  std::shared_ptr<const durable_table> durables_;
  std::uint64_t durables_version_ = 0;
  boost::unordered_flat_map<live_subscriber*, event_batch> outbox_;
  std::vector<live_subscriber*> outbox_order_;
  boost::unordered_flat_map<const message_type*, std::shared_ptr<std::atomic<std::uint64_t>>>
      counts_;
  boost::unordered_flat_map<report_target*, append_reports> reports_;
};

}  // namespace microlith::internal
