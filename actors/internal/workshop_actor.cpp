// A bounded number of workers for slow work, each with a thread of its own, and a bounded queue
// before them: past it, work is refused.

#include <microlith/actors/internal/actors_part.hpp>

#include <deque>
#include <thread>

namespace microlith::internal {

namespace {

struct worker_state {
  runtime* node = nullptr;
};

worker_actor::behavior_type worker_behavior(worker_actor::stateful_pointer<worker_state> self,
                                            runtime* node, workshop_actor workshop,
                                            std::size_t index) {
  self->state.node = node;
  return {
      [self, workshop, index](prepare_job& job) {
        prepared_message done{.message = job.message,
                              .prepared = nullptr,
                              .why = {},
                              .conflicts = job.conflicts,
                              .preparations = job.preparations};
        if (job.message.head().deadline <= self->state.node->steady_now()) {
          done.why = past_deadline(job.message);
        } else {
          try {
            handler_scope scope;
            done.prepared = job.command->prepare(job.state.get(), job.message.body());
          } catch (...) {
            done.why = handler_threw(job.message, job.decider->component,
                                     "prepare: " + current_exception_text());
          }
        }
        job.reply_to->deliver(std::move(done));
        self->send(workshop, bell_atom::value, index);
      },
      [self](stop_atom) { self->quit(); },
  };
}

struct workshop_state {
  runtime* node = nullptr;
  std::vector<worker_actor> workers;
  std::vector<std::size_t> idle;
  std::deque<prepare_job> queue;
};

using workshop_self = workshop_actor::stateful_pointer<workshop_state>;

workshop_actor::behavior_type workshop_behavior(workshop_self self, runtime* node) {
  auto& state = self->state;
  state.node = node;
  const auto& options = node->actors().options;
  auto count = options.prepare_workers != 0 ? options.prepare_workers
                                            : std::max(1u, std::thread::hardware_concurrency());
  for (std::size_t i = 0; i < count; ++i) {
    workshop_actor here{self};
    state.workers.push_back(node->actors().deterministic()
                                ? self->spawn(worker_behavior, node, here, i)
                                : self->spawn<caf::detached>(worker_behavior, node, here, i));
    state.idle.push_back(i);
  }
  return {
      [self](prepare_job& job) {
        auto& state = self->state;
        auto max = state.node->actors().options.max_prepare_queue;
        if (!state.idle.empty()) {
          auto index = state.idle.back();
          state.idle.pop_back();
          self->send(state.workers[index], std::move(job));
        } else if (state.queue.size() < max) {
          state.queue.push_back(std::move(job));
        } else {
          state.node->actors().counters.count_refused(failure_kind::overloaded);
          auto reply_to = job.reply_to;
          prepared_message refused{
              .message = std::move(job.message),
              .prepared = nullptr,
              .why = {.kind = failure_kind::overloaded,
                      .certainty = certainty::not_done,
                      .text = std::to_string(max) +
                              " pieces of slow work wait for a worker, the bound; try again later",
                      .message = {}}};
          reply_to->deliver(std::move(refused));
        }
      },
      [self](bell_atom, std::size_t index) {
        auto& state = self->state;
        if (state.queue.empty()) {
          state.idle.push_back(index);
          return;
        }
        self->send(state.workers[index], std::move(state.queue.front()));
        state.queue.pop_front();
      },
      [self](stop_atom) {
        for (const auto& worker : self->state.workers)
          self->send(worker, stop_atom::value);
        self->quit();
      },
  };
}

}  // namespace

workshop_actor spawn_workshop(runtime& node) {
  return node.actors().system->spawn(workshop_behavior, &node);
}

}  // namespace microlith::internal
