#include <microlith/actors/internal/settling.hpp>

namespace microlith::internal {

namespace {

failure conflict_failure(const append_conflict& conflict) {
  return {.kind = failure_kind::conflict,
          .certainty = certainty::not_done,
          .text = to_string(conflict),
          .message = {}};
}

void end_badly(runtime::actors_part& node, const append_job& job, const failure& why,
               steady_time now) {
  if (job.report_to != nullptr)
    return;
  unsent(node, job, why, now);
  if (job.counts_failure && (!job.progress || job.progress->end()))
    node.failed(job.cause, why);
}

}  // namespace

failure earlier_step_failed(const append_job& job) {
  return {.kind = failure_kind::handler_failed,
          .certainty = certainty::not_done,
          .text = "an earlier step of " + std::string{job.cause.type().name} + " failed",
          .message = {}};
}

void unsent(runtime::actors_part& node, const append_job& job, const failure& why,
            steady_time now) {
  for (const auto& each : job.then_send) {
    auto reason = why;
    reason.message = each.message.head().id;
    node.talks->unsent(each.message.head().correlation, std::move(reason), now);
  }
}

void end_as_before(runtime::actors_part& node, const append_job& job,
                   const already_appended& before, steady_time now) {
  unsent(node, job,
         {.kind = failure_kind::handler_failed,
          .certainty = certainty::not_done,
          .text = std::string{job.cause.type().name} + " has been carried out before",
          .message = {}},
         now);
  if (!job.counts_failure)
    return;
  if (auto how = ends_well(job, before.last_position))
    node.finished(job.cause, *how);
}

void end_badly(runtime::actors_part& node, const append_job& job, const append_conflict& conflict,
               steady_time now) {
  if (job.report_to == nullptr)
    node.log(log_level::error, "events were not appended: " + to_string(conflict));
  end_badly(node, job, conflict_failure(conflict), now);
}

void end_badly(runtime::actors_part& node, const append_job& job, const append_refused& refused,
               steady_time now) {
  node.log(log_level::error, "append refused: " + to_string(refused.why));
  end_badly(node, job, refused.why, now);
}

}  // namespace microlith::internal
