#pragma once

// How often something happened within the last minute, by key: the counting behind "too many
// attempts".
//
// Pure: the caller brings the time. Memory is bounded: keys are stored as keyed hashes, and past
// the bound on events kept the keys that were quiet longest are forgotten. Not thread-safe.

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <list>
#include <optional>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace auth {

class sliding_window {
 public:
  using time = std::chrono::steady_clock::time_point;

  /// At most `limit` events of a key within `length`; a limit of 0 is none. At most `kept_limit`
  /// events are remembered in all.
  explicit sliding_window(std::size_t limit, std::chrono::seconds length = std::chrono::seconds{60},
                          std::size_t kept_limit = 262'144);

  /// How long until one more event of the key is within the limit; zero: now.
  [[nodiscard]] std::chrono::nanoseconds wait_time(std::string_view key, time now);

  /// Counts an event.
  void count(std::string_view key, time now);

  /// Takes back an event that was counted at `at`.
  void take_back(std::string_view key, time at);

  /// Events remembered, of all keys.
  [[nodiscard]] std::size_t kept() const { return kept_; }

 private:
  struct record {
    std::uint64_t key;
    std::vector<time> events;  // oldest first
  };
  using records = std::list<record>;

  [[nodiscard]] std::uint64_t hash(std::string_view key) const;
  void forget_before(time limit);
  void remove(records::iterator at);

  std::size_t limit_;
  std::chrono::seconds length_;
  std::size_t kept_limit_;
  std::size_t kept_ = 0;
  unsigned char hash_key_[16];
  records by_age_;  // the key that was quiet longest first
  std::unordered_map<std::uint64_t, records::iterator> by_key_;
};

}  // namespace auth
