#pragma once

// What a durable subscription remembers: how far it has come, and the events that it holds back.
//
// An LMDB environment of its own beside the journal. Unlike rows it cannot be derived again: if it
// is lost, every event is delivered again; if it is damaged, it is refused. Every event up to the
// checkpoint is done or held. Held events are kept by key, in the order of the journal, as
// positions: what they say is read from the journal each time, so upcasters apply to them.
//
// A key is *retried* (its first event is tried again by whoever runs the subscription) or *parked*
// (its events stay until a person has them replayed, or drops them).
//
// Where the journal is on another node, so is this, and an implementation of the actors asks for
// it. What changes it has one caller at a time; everything else may be called from any thread.

#include <microlith/messages/envelope.hpp>
#include <microlith/messages/result.hpp>
#include <microlith/persistence/error.hpp>
#include <microlith/persistence/journal.hpp>

#include <boost/describe.hpp>

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace microlith {

/// Where a subscription begins that is new to its data directory.
enum class subscription_start : std::uint8_t { first_event, next_event };

struct subscription_options {
  /// It lives in a folder `subscriptions/NAME` of it.
  std::filesystem::path directory;
  subscription_start start = subscription_start::first_event;
  /// As in journal_options.
  std::size_t map_limit_bytes = 0;
  std::size_t map_reserve_bytes = 0;
  bool sync = true;
};

/// The events of one key that are held back.
struct held_key {
  std::string key;
  bool parked = false;
  unsigned attempts = 0;  ///< that its first event has failed
  std::uint64_t events = 0;
  wall_time since{};
  std::string why = {};  ///< the last failure

  friend bool operator==(const held_key&, const held_key&) = default;
};
BOOST_DESCRIBE_STRUCT(held_key, (), (key, parked, attempts, events, since, why))

/// A key is not longer; what is kept of an error text neither.
inline constexpr std::size_t max_subscription_key_bytes = 1000;

/// An event that is held behind others of its key.
struct held_event {
  std::string key;
  std::uint64_t position = 0;
};
BOOST_DESCRIBE_STRUCT(held_event, (), (key, position))

class subscription_store {
 public:
  /// Opens or creates. One that belongs to another journal begins again; where the journal was
  /// restored, what it does not have any more is forgotten. `note` says so.
  [[nodiscard]] static result<std::unique_ptr<subscription_store>, storage_error> open(
      const std::string& name, subscription_options options, const journal& source);

  virtual ~subscription_store();
  subscription_store(const subscription_store&) = delete;
  subscription_store& operator=(const subscription_store&) = delete;

  [[nodiscard]] virtual const std::string& name() const;
  /// What was found at opening that a person should know; mostly empty.
  [[nodiscard]] virtual const std::string& note() const;

  [[nodiscard]] virtual std::uint64_t checkpoint() const;
  [[nodiscard]] virtual std::uint64_t held_keys() const;  ///< retried and parked
  [[nodiscard]] virtual std::uint64_t parked_keys() const;
  [[nodiscard]] virtual std::uint64_t held_events() const;
  [[nodiscard]] virtual std::uint64_t parked_events() const;

  [[nodiscard]] virtual result<std::optional<held_key>, storage_error> find(
      std::string_view key) const;
  /// In an order of its own; the next ones come after the last key of these.
  [[nodiscard]] virtual result<std::vector<held_key>, storage_error> held(
      const std::optional<std::string>& after = {}, std::size_t limit = 1000) const;
  /// Positions of a key's events after one, in order.
  [[nodiscard]] virtual result<std::vector<std::uint64_t>, storage_error> positions_of(
      std::string_view key, std::uint64_t after = 0, std::size_t limit = 1000) const;

  /// `event` is the message id of the journal's event there.
  [[nodiscard]] virtual result<void, storage_error> save_checkpoint(std::uint64_t position,
                                                                    message_id event);

  /// Holds a key's events, the first of which has failed.
  [[nodiscard]] virtual result<void, storage_error> hold(const held_key& how,
                                                         std::span<const std::uint64_t> positions);
  /// Holds events behind others of their keys.
  [[nodiscard]] virtual result<void, storage_error> hold_behind(std::span<const held_event> events);
  /// The first event of a held key has failed again.
  [[nodiscard]] virtual result<void, storage_error> failed_again(std::string_view key,
                                                                 unsigned attempts, bool parked,
                                                                 const std::string& why);
  /// A held event is done. Whether others of its key are held.
  [[nodiscard]] virtual result<bool, storage_error> finished(std::string_view key,
                                                             std::uint64_t position);
  /// Parked events are to be tried again, in order. False where the key is not parked.
  [[nodiscard]] virtual result<bool, storage_error> replay(std::string_view key);
  /// Forgets parked events of a key: all, or the one at a position. How many.
  [[nodiscard]] virtual result<std::uint64_t, storage_error> drop(
      std::string_view key, std::optional<std::uint64_t> position = {});

 protected:
  /// For one that is kept elsewhere.
  subscription_store();

 private:
  class state;
  explicit subscription_store(std::unique_ptr<state> s);
  std::unique_ptr<state> state_;
};

/// The durable subscriptions that a data directory knows, by name.
[[nodiscard]] std::vector<std::string> subscriptions_in(const std::filesystem::path& data);

}  // namespace microlith
