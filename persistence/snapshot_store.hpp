#pragma once

// States of streams, kept so that loading a stream need not begin at its first event.
//
// An LMDB environment of its own: nothing here is in the way of an append, and all of it can be
// deleted at any time. A snapshot names the event that it ends with, so whoever uses one sees
// whether the journal still has it: one of another journal, or ahead of a journal that was
// restored, is recognized and must be ignored. What is damaged is not found.
//
// `put` has one caller at a time; `find` may be called from any thread meanwhile.

#include <microlith/messages/codec.hpp>
#include <microlith/messages/identity.hpp>
#include <microlith/messages/result.hpp>
#include <microlith/persistence/error.hpp>

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace microlith {

/// The state that the first `version` events of a stream lead to.
struct snapshot {
  std::string stream;
  std::uint64_t version = 0;
  message_id event;               ///< message id of the event with that version
  std::uint64_t fingerprint = 0;  ///< of the state's type; one with another is not found
  bytes state;                    ///< encoded

  friend bool operator==(const snapshot&, const snapshot&) = default;
};

/// A state with more bytes is not kept.
inline constexpr std::size_t max_snapshot_bytes = std::size_t{16} << 20;

struct snapshot_options {
  /// They live in its folder `snapshots`.
  std::filesystem::path directory;
  /// As in journal_options.
  std::size_t map_limit_bytes = 0;
  std::size_t map_reserve_bytes = 0;
  bool sync = true;
};

class snapshot_store {
 public:
  /// Opens or creates. What belongs to a journal of another epoch, or is damaged, is thrown away.
  [[nodiscard]] static result<std::unique_ptr<snapshot_store>, storage_error> open(
      snapshot_options options, message_id journal_epoch);

  ~snapshot_store();
  snapshot_store(const snapshot_store&) = delete;
  snapshot_store& operator=(const snapshot_store&) = delete;

  /// The newest of a stream with this fingerprint.
  [[nodiscard]] std::optional<snapshot> find(std::string_view stream,
                                             std::uint64_t fingerprint) const;

  /// Each replaces what its stream had; all in one transaction. Only of events that are durable.
  [[nodiscard]] result<void, storage_error> put(std::span<const snapshot> snapshots);

  /// Streams that have one.
  [[nodiscard]] std::uint64_t count() const;

 private:
  class state;
  explicit snapshot_store(std::unique_ptr<state> s);
  std::unique_ptr<state> state_;
};

}  // namespace microlith
