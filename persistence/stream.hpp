#pragma once

// Streams: the events of one thing, in order. Values; any thread.

#include <cstddef>
#include <cstdint>
#include <string>

namespace microlith {

/// Longest stream name that the journal takes.
inline constexpr std::size_t max_stream_name_bytes = 1000;

/// What the writer believes the version of a stream to be. Versions are gap-free and start at 1; a
/// stream without events has version 0.
class expected_version {
 public:
  [[nodiscard]] static constexpr expected_version any() { return {rule::any, 0}; }
  [[nodiscard]] static constexpr expected_version no_stream() { return {rule::exactly, 0}; }
  [[nodiscard]] static constexpr expected_version stream_exists() { return {rule::exists, 0}; }
  [[nodiscard]] static constexpr expected_version exactly(std::uint64_t version) {
    return {rule::exactly, version};
  }

  [[nodiscard]] constexpr bool met_by(std::uint64_t actual) const {
    return rule_ == rule::any || (rule_ == rule::exists ? actual > 0 : actual == version_);
  }

  /// The version where exactly one is expected.
  [[nodiscard]] constexpr std::uint64_t version() const { return version_; }

  /// "any version", "no events", "at least one event", "version 7"
  [[nodiscard]] std::string text() const;

  friend constexpr bool operator==(const expected_version&, const expected_version&) = default;

 private:
  enum class rule : std::uint8_t { any, exists, exactly };
  constexpr expected_version(rule r, std::uint64_t version) : rule_{r}, version_{version} {}

  rule rule_;
  std::uint64_t version_;
};

}  // namespace microlith
