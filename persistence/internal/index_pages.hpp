#pragma once

// The index on disk, read page by page beside the node that merges it: where the events of a
// stream, of a conversation, of an append are, and the event with an id. It tells of the events up
// to `checkpoint`; those after it must be looked at themselves.
//
// The index has no checksums of its own, so what it says is believed only as far as the records
// bear it out: whoever asks looks at the record. Where there is no index, or one of another
// journal, or one that cannot be read, `checkpoint` is 0. Throws nothing. One thread at a time.

#include <microlith/messages/identity.hpp>
#include <microlith/persistence/internal/index_layout.hpp>
#include <microlith/persistence/internal/page_file.hpp>
#include <microlith/persistence/internal/stream_key.hpp>
#include <microlith/persistence/journal.hpp>

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <vector>

namespace microlith::internal {

class index_pages {
 public:
  /// Of the folder `index`, which need not be there; `epoch` is the journal's.
  index_pages(std::filesystem::path directory, message_id epoch);

  /// Takes a new look.
  void refresh();

  [[nodiscard]] std::uint64_t checkpoint() const { return state_ ? state_->checkpoint : 0; }

  /// Each is absent where the index cannot be read: then `checkpoint` is 0 from now on.
  [[nodiscard]] std::optional<std::vector<std::uint64_t>> conversation(correlation_id correlation,
                                                                       std::uint64_t after,
                                                                       std::size_t limit);
  /// By version, from one on.
  [[nodiscard]] std::optional<std::vector<std::uint64_t>> stream(const stream_key& stream,
                                                                 std::uint64_t from_version,
                                                                 std::size_t limit);
  /// 0, and an append of nothing, where there is none up to the checkpoint.
  [[nodiscard]] std::optional<std::uint64_t> position_of(message_id event);
  [[nodiscard]] std::optional<append_positions> append_of(message_id append);

 private:
  template <class Read>
  auto reading(Read read) -> std::optional<decltype(read())>;
  void look();
  [[nodiscard]] std::optional<page_tree> table(std::string_view name);

  std::filesystem::path directory_;
  message_id epoch_;
  std::unique_ptr<page_file> file_;
  page_snapshot snapshot_;
  std::optional<index_state> state_;
};

}  // namespace microlith::internal
