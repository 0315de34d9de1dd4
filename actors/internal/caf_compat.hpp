#pragma once

// All that differs between versions of CAF is spelled here, for 0.17: typed interfaces, atoms,
// the permission to send our types by reference, and how to answer a request from another actor.

#include <microlith/actors/internal/durable_work.hpp>
#include <microlith/actors/internal/handling.hpp>
#include <microlith/actors/internal/raw_answer.hpp>
#include <microlith/actors/internal/work.hpp>

#include <caf/actor_system.hpp>
#include <caf/actor_system_config.hpp>
#include <caf/after.hpp>
#include <caf/response_promise.hpp>
#include <caf/scheduler/test_coordinator.hpp>
#include <caf/scoped_actor.hpp>
#include <caf/send.hpp>
#include <caf/stateful_actor.hpp>
#include <caf/typed_actor.hpp>
#include <caf/typed_event_based_actor.hpp>

#include <chrono>

// Bodies never leave the process through CAF: nodes talk over links of our own.
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(microlith::envelope)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(microlith::internal::wait_request)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(microlith::internal::answer_message)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(microlith::internal::continuation_message)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(microlith::internal::event_batch)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(microlith::internal::append_reports)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(microlith::internal::prepare_job)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(microlith::internal::prepared_message)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(microlith::internal::parked_query)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(microlith::internal::retire_message)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(microlith::internal::release_message)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(microlith::internal::snapshot_message)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(microlith::internal::delivery_message)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(microlith::internal::delivered_message)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(microlith::internal::retry_message)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(microlith::internal::parked_message)

namespace microlith::internal {

using flush_atom = caf::atom_constant<caf::atom("flush")>;
using commit_atom = caf::atom_constant<caf::atom("commit")>;
using stop_atom = caf::atom_constant<caf::atom("stop")>;
using bell_atom = caf::atom_constant<caf::atom("bell")>;
using tick_atom = caf::atom_constant<caf::atom("tick")>;
using arm_atom = caf::atom_constant<caf::atom("arm")>;
using rebuild_atom = caf::atom_constant<caf::atom("rebuild")>;
using pause_atom = caf::atom_constant<caf::atom("pause")>;
using sweep_atom = caf::atom_constant<caf::atom("sweep")>;

/// Reads its inbox when the bell rings; see inbox.hpp.
using inbox_actor = caf::typed_actor<caf::reacts_to<bell_atom>>;

/// Takes envelopes, one a message.
using receiver_actor = caf::typed_actor<caf::reacts_to<envelope>>;

/// Takes envelopes to dispatch; keeps `wait` requests until they end.
using bus_actor =
    caf::typed_actor<caf::reacts_to<envelope>, caf::replies_to<wait_request>::with<answer_message>,
                     caf::replies_to<envelope, wait_request>::with<answer_message>,
                     caf::reacts_to<stop_atom>>;

/// A bus as its node sees it. `retire` stops receivers once all that was sent to them before has
/// reached them.
using bus_core_actor = bus_actor::extend<caf::reacts_to<bell_atom>, caf::reacts_to<retire_message>,
                                         caf::reacts_to<release_message>>;

/// Runs one function: as the handler of a type, or as a live subscriber.
using handler_actor =
    caf::typed_actor<caf::reacts_to<envelope>, caf::reacts_to<bell_atom>,
                     caf::reacts_to<event_batch>, caf::reacts_to<continuation_message>,
                     caf::reacts_to<stop_atom>>;

/// Holds the states of a share of a decider's keys.
using shard_actor =
    caf::typed_actor<caf::reacts_to<envelope>, caf::reacts_to<bell_atom>,
                     caf::reacts_to<append_reports>, caf::reacts_to<prepared_message>,
                     caf::reacts_to<sweep_atom>, caf::reacts_to<stop_atom>>;

/// Appends to the journal, then publishes: the far side of the event bus.
using writer_actor =
    caf::typed_actor<caf::reacts_to<bell_atom>, caf::reacts_to<event_batch>,
                     caf::replies_to<flush_atom>::with<bool>, caf::reacts_to<stop_atom>>;

/// Hands slow work to a bounded number of workers; is also the interface of a worker.
using workshop_actor =
    caf::typed_actor<caf::reacts_to<prepare_job>, caf::reacts_to<bell_atom, std::size_t>,
                     caf::reacts_to<stop_atom>>;
using worker_actor = caf::typed_actor<caf::reacts_to<prepare_job>, caf::reacts_to<stop_atom>>;

/// Brings one projection up to date.
using projector_actor = caf::typed_actor<caf::reacts_to<bell_atom>, caf::reacts_to<parked_query>,
                                         caf::reacts_to<rebuild_atom>, caf::reacts_to<tick_atom>,
                                         caf::reacts_to<sweep_atom>, caf::reacts_to<stop_atom>>;

/// Moves one durable subscription along the journal.
using subscriber_actor =
    caf::typed_actor<caf::reacts_to<bell_atom>, caf::reacts_to<delivered_message>,
                     caf::reacts_to<retry_message>, caf::reacts_to<parked_message>,
                     caf::reacts_to<commit_atom>, caf::reacts_to<pause_atom>,
                     caf::reacts_to<stop_atom>>;

/// Runs the handlers of a durable subscription.
using deliverer_actor =
    caf::typed_actor<caf::reacts_to<delivery_message>, caf::reacts_to<append_reports>,
                     caf::reacts_to<continuation_message>, caf::reacts_to<stop_atom>>;

/// Writes snapshots, some at a time.
using snapshotter_actor = caf::typed_actor<caf::reacts_to<snapshot_message>,
                                           caf::reacts_to<commit_atom>, caf::reacts_to<stop_atom>>;

/// Keeps the time limits of all waits, with one clock entry.
using timekeeper_actor =
    caf::typed_actor<caf::reacts_to<arm_atom, std::int64_t>,
                     caf::reacts_to<tick_atom, std::uint64_t>, caf::reacts_to<stop_atom>>;

/// Runs callbacks of waits from outside, so that user code never runs on the writer.
using callback_actor = inbox_actor::extend<caf::reacts_to<stop_atom>>;

/// Answers a request, from whatever thread. CAF's own `deliver` may only be called by the actor
/// that made the promise, and drops it silently when that actor ends.
template <class T>
void answer_request(caf::response_promise& promise, caf::strong_actor_ptr self, T value) {
  if (auto source = promise.source())
    source->enqueue(caf::make_mailbox_element(std::move(self), promise.id().response_id(), {},
                                              std::move(value)),
                    nullptr);
}

}  // namespace microlith::internal
