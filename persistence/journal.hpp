#pragma once

// The journal: every event, in one order, durable before anybody sees it.
//
// Positions are gap-free and start at 1; so do the versions of each stream. An append is all or
// nothing, checks what it expects of its streams, and is idempotent by id. Damage is located and
// reported, never served.
//
// `append` has one caller at a time. Everything else may be called from any thread, at any time,
// also while appending.

#include <microlith/messages/catalog.hpp>
#include <microlith/messages/result.hpp>
#include <microlith/persistence/append.hpp>
#include <microlith/persistence/error.hpp>
#include <microlith/persistence/function_ref.hpp>
#include <microlith/persistence/projection_group.hpp>
#include <microlith/persistence/projection_rows.hpp>
#include <microlith/persistence/record.hpp>

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

namespace microlith {

/// How much one read may visit. At least one record is visited, however large.
struct read_limits {
  std::uint64_t events = 1000;
  std::uint64_t bytes = std::uint64_t{1} << 20;
};

/// What a read visited. The next one starts at `next`.
struct read_progress {
  std::uint64_t next = 1;    ///< position or stream version
  std::uint64_t events = 0;  ///< visited
  bool end = true;           ///< there was nothing more at that time
  friend bool operator==(const read_progress&, const read_progress&) = default;
};

/// Called for each record in order; `false` ends the read after this record.
using record_visitor = function_ref<bool(const record_view&)>;

/// First and last position of what one append wrote.
struct append_positions {
  std::uint64_t first = 0;
  std::uint64_t last = 0;
  friend bool operator==(const append_positions&, const append_positions&) = default;
};

struct journal_options {
  /// Holds the journal and its index; made with mode 0700 if it is not there.
  std::filesystem::path directory;
  /// The types known to the application. One whose fingerprint changed without a new version stops
  /// the start.
  type_catalog catalog = {};
  /// The most that the journal may grow to, and so the address space that it may take; the index
  /// beside it may take twice as much. 0: no limit but the machine's.
  std::size_t map_limit_bytes = 0;
  /// Address space taken at once; more is taken as the journal grows, which waits for reads at hand
  /// to end. 0: as much as is sensible here, which is a lot with 64 bits and little with 32.
  std::size_t map_reserve_bytes = 0;
  /// Projections whose rows are written by each append; they are brought up to date at opening.
  std::vector<projection_group> inline_projections = {};
  /// Events in memory that are not in the index on disk yet: merged from this number on; appends
  /// wait at twice the number.
  std::size_t merge_threshold = 65'536;
  /// Otherwise merges happen in `merge_now` and, where memory would run out, in `append`.
  bool merge_in_background = true;
  /// Without it a crash of the machine may lose or break what was acknowledged. For tests.
  bool sync = true;
};

class journal {
 public:
  /// Opens or creates the journal on disk.
  [[nodiscard]] static result<std::unique_ptr<journal>, storage_error> open(
      journal_options options);

  journal() = default;
  journal(const journal&) = delete;
  journal& operator=(const journal&) = delete;
  virtual ~journal() = default;

  /// One transaction for all; each request is all or nothing on its own, and sees what those before
  /// it did. When it returns, what was appended is durable. One outcome per request.
  [[nodiscard]] virtual std::vector<append_outcome> append(append_batch requests) = 0;
  [[nodiscard]] std::vector<append_outcome> append(std::span<append_request> requests);

  /// Position of the last durable event; 0 where there is none.
  [[nodiscard]] virtual std::uint64_t last_position() const = 0;

  /// Made at creation. A checkpoint or an index of another epoch belongs to another journal.
  [[nodiscard]] virtual message_id epoch() const = 0;

  /// Visits records from a position on (0 and 1 are both the first).
  [[nodiscard]] virtual result<read_progress, storage_error> read(std::uint64_t from_position,
                                                                  read_limits limits,
                                                                  record_visitor visit) const = 0;

  /// Visits the events of a stream from a version on (0 and 1 are both the first).
  [[nodiscard]] virtual result<read_progress, storage_error> read_stream(
      std::string_view stream, std::uint64_t from_version, read_limits limits,
      record_visitor visit) const = 0;

  /// 0 where the stream has no events.
  [[nodiscard]] virtual result<std::uint64_t, storage_error> stream_version(
      std::string_view stream) const = 0;

  /// What the append with this id wrote: the events that a command has caused.
  [[nodiscard]] virtual result<std::optional<append_positions>, storage_error> append_of(
      message_id command) const = 0;

  /// Where the event with this message id is.
  [[nodiscard]] virtual result<std::optional<std::uint64_t>, storage_error> position_of(
      message_id event) const = 0;

  /// Positions of the events of a conversation after `after`, in order, at most `limit`.
  [[nodiscard]] virtual result<std::vector<std::uint64_t>, storage_error> conversation(
      correlation_id correlation, std::uint64_t after, std::size_t limit) const = 0;

  /// The types that the journal holds events of, by id from 1 on.
  [[nodiscard]] virtual std::vector<stored_type> types() const = 0;

  /// The rows of an inline projection; null where the journal keeps none of this name.
  [[nodiscard]] virtual const projection_rows* rows_of(std::string_view) const { return nullptr; }

  /// Moves into the index on disk what is in memory only. Does nothing where there is no such
  /// index. Not while another thread merges or appends, unless merging happens in the background.
  [[nodiscard]] virtual result<void, storage_error> merge_now() = 0;
};

}  // namespace microlith
