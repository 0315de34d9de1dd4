#include <microlith/actors/internal/actors_part.hpp>
#include <microlith/actors/internal/cluster/written_move.hpp>

namespace microlith::internal {

void written_move::append(runtime& to, const component_moved_event& moved) {
  auto& node = to.actors();
  envelope_head head{.id = message_id::make(),
                     .correlation = correlation_id::make(),
                     .causation = {},
                     .root = {},
                     .time = node.wall_now(),
                     .facts = node.own_facts};
  envelope event{std::move(head), moved};
  auto made = std::make_unique<append_job>();
  auto& job = *made;
  job.cause = event;
  job.counts_failure = false;
  job.report_to = this;
  auto stream = placement_stream(moved.component);
  job.request.id = event.head().id;
  job.request.checks.push_back(
      {.stream = stream, .expected = expected_version::exactly(moved.epoch - 1), .built_on = {}});
  job.request.events.push_back({std::move(event), std::move(stream)});
  node.append(std::move(made));
}

void written_move::report(append_reports&& reports) {
  std::optional<failure> why_not;
  if (!reports.reports.empty() && reports.reports.front().then) {
    const auto& outcome = *reports.reports.front().then;
    if (const auto* refused = std::get_if<append_refused>(&outcome))
      why_not = refused->why;
    else if (const auto* conflict = std::get_if<append_conflict>(&outcome))
      why_not = failure{.kind = failure_kind::conflict,
                        .certainty = certainty::not_done,
                        .text = to_string(*conflict),
                        .message = {}};
  }
  done_(std::move(why_not));
}

}  // namespace microlith::internal
