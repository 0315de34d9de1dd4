#pragma once

// What follows for this node from the outcome of an append that it asked for, wherever the journal
// is. Called by the writer, or where the journal is on another node by the cluster, in the order in
// which the appends were asked for.

#include <microlith/actors/internal/actors_part.hpp>

#include <algorithm>
#include <optional>

namespace microlith::internal {

[[nodiscard]] failure earlier_step_failed(const append_job& job);

/// What was to follow events that are not in the journal never leaves.
void unsent(runtime::actors_part& node, const append_job& job, const failure& why, steady_time now);

/// An earlier step of the same handling was refused: what built on it does not leave.
inline void drop_what_built_on_a_refusal(runtime::actors_part& node, append_job& job,
                                         steady_time now) {
  if (!job.progress || !job.progress->ended())
    return;
  unsent(node, job, earlier_step_failed(job), now);
  job.then_send.clear();
}

/// How the handling of the cause ends with this job, if it does.
[[nodiscard]] inline std::optional<accepted> ends_well(const append_job& job,
                                                       std::uint64_t position) {
  if (!job.ends_cause)
    return std::nullopt;
  if (job.progress) {
    position = std::max(position, job.progress->position.load());
    if (!job.progress->end())
      return std::nullopt;
  }
  return accepted{position};
}

/// What it caused when it was carried out before has been told.
void end_as_before(runtime::actors_part& node, const append_job& job,
                   const already_appended& before, steady_time now);

/// Nothing was appended. Where somebody is reported to, that one deals with it.
void end_badly(runtime::actors_part& node, const append_job& job, const append_conflict& conflict,
               steady_time now);
void end_badly(runtime::actors_part& node, const append_job& job, const append_refused& refused,
               steady_time now);

}  // namespace microlith::internal
