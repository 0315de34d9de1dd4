#pragma once

// What an index should hold, as sums: of the events that it covers on the one side, of its entries
// on the other. Equal sums, equal entries, whatever their order; so an index of any size is
// compared with its journal in one pass over each and in little memory. One thread.

#include <microlith/persistence/internal/stream_filter.hpp>
#include <microlith/persistence/internal/stream_key.hpp>
#include <microlith/persistence/journal.hpp>

#include <cstdint>

namespace microlith::internal {

class index_digest {
 public:
  struct sum {
    std::uint64_t entries = 0;
    std::uint64_t hash = 0;
    friend bool operator==(const sum&, const sum&) = default;
  };

  void add_stream(const stream_key& stream, std::uint64_t version, std::uint64_t position);
  void add_id(message_id id, std::uint64_t position);
  void add_append(message_id append, std::uint64_t first, std::uint64_t last);
  void add_correlation(correlation_id correlation, std::uint64_t position);

  /// All that an event gives; in order of positions.
  void add_event(const record_view& record, const stream_key& stream);
  /// Position of the last event that was added.
  [[nodiscard]] std::uint64_t last() const { return last_; }
  /// What the last append wrote counts only when it is known to end.
  void end_append();

  sum streams;
  sum ids;
  sum appends;
  sum correlations;
  stream_filter filter;  ///< of the events

 private:
  std::uint64_t last_ = 0;
  message_id append_;
  std::uint64_t append_first_ = 0;
};

}  // namespace microlith::internal
