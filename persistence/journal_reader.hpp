#pragma once

// The journal on disk, read beside the node that writes it, or when none does.
//
// It reads the files with pread: it maps nothing, takes no lock, holds no transaction and writes no
// byte, so it works in directories that may only be read, is never in the way of a node that
// starts, writes or stops meanwhile, and keeps no page from being used again. Damage is located and
// reported, never served, and never ends in a signal.
//
// Where the events of a stream or a conversation are, the index tells, read in the same way; what a
// node has not merged into it yet, at most two of its merge thresholds, is looked through. Without
// an index that can be read everything is.
//
// The types of events come from the journal: no application code is needed. One thread at a time.

#include <microlith/messages/identity.hpp>
#include <microlith/messages/result.hpp>
#include <microlith/persistence/error.hpp>
#include <microlith/persistence/journal.hpp>

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string_view>
#include <vector>

namespace microlith {

/// How much room the journal's file takes.
struct journal_size {
  std::uint64_t file_bytes = 0;
  std::uint64_t used_bytes = 0;    ///< pages that hold something
  std::uint64_t record_bytes = 0;  ///< of these, pages of records
};

class journal_reader {
 public:
  /// Of a data directory, the one that a node is given. An error of kind `unusable` where it holds
  /// no journal or may not be read.
  [[nodiscard]] static result<std::unique_ptr<journal_reader>, storage_error> open(
      const std::filesystem::path& data);
  ~journal_reader();
  journal_reader(const journal_reader&) = delete;
  journal_reader& operator=(const journal_reader&) = delete;

  /// Looks for what has been appended since; before that, what it tells stays the same.
  [[nodiscard]] result<void, storage_error> refresh();

  /// Position of the last event.
  [[nodiscard]] std::uint64_t last_position() const;
  [[nodiscard]] message_id epoch() const;
  [[nodiscard]] std::vector<stored_type> types() const;
  [[nodiscard]] journal_size size() const;

  /// As journal::read.
  [[nodiscard]] result<read_progress, storage_error> read(std::uint64_t from_position,
                                                          read_limits limits, record_visitor visit);

  /// Visits the events of a stream or a conversation from a position on, in order, until the
  /// visitor has enough.
  [[nodiscard]] result<void, storage_error> read_stream(std::string_view stream,
                                                        std::uint64_t from_position,
                                                        record_visitor visit);
  [[nodiscard]] result<void, storage_error> read_conversation(correlation_id correlation,
                                                              std::uint64_t from_position,
                                                              record_visitor visit);

  /// Where the event with this message id is; 0 where there is none.
  [[nodiscard]] result<std::uint64_t, storage_error> position_of(message_id event);
  /// Where the first event is that this append, mostly a command, has written; 0 where there is
  /// none.
  [[nodiscard]] result<std::uint64_t, storage_error> first_of_append(message_id append);

  /// Events that had to be read to answer, since it was opened.
  [[nodiscard]] std::uint64_t events_read() const;

 private:
  class state;
  explicit journal_reader(std::unique_ptr<state> s);

  std::unique_ptr<state> state_;
};

}  // namespace microlith
