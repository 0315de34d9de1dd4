#pragma once

// What a durable subscription holds back: keys, and the positions of their events, in two tables of
// the subscription's environment (drawn in README.md).
//
// Every function works within a transaction of the caller's, and those that change something say
// what that does to the counts, which are the caller's to keep once it has committed. Throws
// lmdb_error, and storage_exception where a row is not what was written. Constant but for `open`
// and `use_secret`; then any thread, as its transactions allow.

#include <microlith/persistence/internal/lmdb.hpp>
#include <microlith/persistence/internal/subscription_layout.hpp>
#include <microlith/persistence/subscription_store.hpp>

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace microlith::internal {

/// How much is held, or what a change does to that.
struct held_counts {
  std::int64_t keys = 0;
  std::int64_t parked = 0;
  std::int64_t events = 0;
  std::int64_t parked_events = 0;
};

class held_events {
 public:
  /// `directory` is for texts.
  explicit held_events(std::filesystem::path directory) : directory_{std::move(directory)} {}

  void open(lmdb_transaction& t);
  /// Keys are hashed with it.
  void use_secret(const name_secret& secret) { secret_ = secret; }

  [[nodiscard]] std::optional<held_key> find(const lmdb_transaction& t, std::string_view key) const;
  [[nodiscard]] std::vector<held_key> keys(const lmdb_transaction& t,
                                           const std::optional<std::string>& after,
                                           std::size_t limit) const;
  [[nodiscard]] std::vector<std::uint64_t> positions_of(const lmdb_transaction& t,
                                                        std::string_view key, std::uint64_t after,
                                                        std::size_t limit) const;
  [[nodiscard]] held_counts count(const lmdb_transaction& t) const;

  held_counts hold(lmdb_transaction& t, const held_key& how,
                   std::span<const std::uint64_t> positions) const;
  held_counts hold_behind(lmdb_transaction& t, std::span<const held_event> events) const;
  held_counts failed_again(lmdb_transaction& t, std::string_view key, unsigned attempts,
                           bool parked, const std::string& why) const;
  held_counts finished(lmdb_transaction& t, std::string_view key, std::uint64_t position) const;
  /// Nothing changes where the key is not parked.
  held_counts replay(lmdb_transaction& t, std::string_view key) const;
  held_counts drop(lmdb_transaction& t, std::string_view key,
                   std::optional<std::uint64_t> position) const;
  /// After a journal was restored: positions past its end say nothing any more.
  void forget_after(lmdb_transaction& t, std::uint64_t end) const;
  void empty(lmdb_transaction& t) const;

 private:
  [[nodiscard]] held_key_id id_of(std::string_view key) const;
  [[noreturn]] void refuse(const std::string& what) const;
  [[nodiscard]] held_key decoded(std::span<const std::byte> value) const;
  [[nodiscard]] std::optional<held_key> stored(const lmdb_transaction& t, const held_key_id& id,
                                               std::string_view name) const;
  template <class Visit>
  void each_event(const lmdb_transaction& t, const held_key_id& id, std::uint64_t from,
                  Visit visit) const;
  void add_event(lmdb_transaction& t, const held_key_id& id, std::uint64_t position,
                 held_key& key) const;
  void remove_event(lmdb_transaction& t, const held_key_id& id, std::uint64_t position,
                    held_key& key) const;
  void save(lmdb_transaction& t, const held_key_id& id, const held_key& key,
            held_counts& change) const;
  void settle(lmdb_transaction& t, const held_key_id& id, const held_key& key,
              held_counts& change) const;

  std::filesystem::path directory_;
  name_secret secret_{};
  MDB_dbi keys_table_ = 0;
  MDB_dbi events_table_ = 0;
};

/// What is damaged, and what to do.
[[nodiscard]] storage_error damaged_subscription(const std::filesystem::path& directory,
                                                 const std::string& what);

}  // namespace microlith::internal
