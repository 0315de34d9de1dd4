#pragma once

// What a durable subscription's actor knows, and what its two halves need of each other:
// subscriber_actor.cpp moves the window along the journal, subscriber_retries.cpp deals with keys
// that are held. For that actor alone.

#include <microlith/actors/internal/actors_part.hpp>

#include <deque>
#include <map>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

namespace microlith::internal {

/// Keys that are tried again at the same time; past it nothing new is read.
inline constexpr std::size_t max_retried_keys = 1'024;
/// What the machine could not do is tried again after this long.
inline constexpr std::chrono::milliseconds machine_retry{1'000};

struct windowed {
  envelope event;
  const durable_handler* handler = nullptr;
  std::string key;
  std::size_t bytes = 0;
};

struct retried {
  unsigned attempts = 0;         // that count
  unsigned tries = 0;            // for the delay
  std::uint64_t delivering = 0;  // position; 0: it waits for its time
};

struct deliverer {
  deliverer_actor actor;
  std::size_t open = 0;
};

/// Events that are to be held; written again until it works, and nothing is read meanwhile.
struct holding {
  held_key how;
  std::vector<std::uint64_t> positions;
};

struct subscriber_state {
  runtime* node = nullptr;
  durable_part* part = nullptr;
  std::vector<deliverer> deliverers;
  std::unordered_map<std::uint64_t, std::size_t> delivering;  // position to deliverer
  std::uint64_t next = 1;                                     // to be read
  std::map<std::uint64_t, windowed> window;
  std::size_t window_bytes = 0;
  std::unordered_map<std::string, std::deque<std::uint64_t>> keys;  // in the window, in order
  std::deque<holding> to_hold;
  std::vector<held_event> behind;  // to be held behind others
  std::unordered_map<std::string, retried> retried_keys;
  std::unordered_map<std::uint64_t, std::string> retried_events;  // being delivered
  std::deque<std::string> to_retry;  // keys for which there is no room yet
  steady_time not_before{};          // after a failure of the machine
  bool saving = false;
  bool something_done = false;
  bool paused = false;
  std::vector<std::size_t> handler_of_type;  // by the journal's number
};

using subscriber_self = subscriber_actor::stateful_pointer<subscriber_state>;

/// "durable subscription auth.mails"
[[nodiscard]] std::string where(const subscriber_state& state);

/// The machine could not do it: the subscription waits and tries again.
void machine_failed(subscriber_self self, const storage_error& error);
void be_in_trouble(subscriber_state& state, log_level level, std::string why);
/// Makes the actor look for more to do.
void ring(subscriber_self self);

/// Gives an event to the deliverer that has the least to do.
void deliver(subscriber_self self, const envelope& event, const durable_handler& handler);
/// Null: the type is not subscribed to.
[[nodiscard]] const durable_handler* durable_handler_for(subscriber_state& state,
                                                         const stored_type& type);

/// It is nobody's fault but the machine's, or of the moment: it does not count as an attempt.
[[nodiscard]] bool passes(const failure& why);

/// Writes what is to be held. False where the store could not take it: to be tried again.
[[nodiscard]] bool write_holdings(subscriber_self self);
/// Goes on with keys that were being retried when the node stopped, or were let go by a person.
void retry_more(subscriber_self self);
/// The first event of a held key, once more.
void retry(subscriber_self self, const std::string& key);
/// The delivery of a held event has ended.
void delivered_from_store(subscriber_self self, std::uint64_t position,
                          const std::optional<failure>& why);
/// What a person wants done about a parked key.
void let_go(subscriber_self self, const parked_message& wanted);

}  // namespace microlith::internal
