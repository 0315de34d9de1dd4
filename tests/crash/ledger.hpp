#pragma once

// What was appended to a journal in which order, and whether a journal and a projection on disk
// are what may be left of it: all that was acknowledged, no batch by halves, nothing else.

#include <microlith/messages/describe.hpp>
#include <microlith/persistence/journal.hpp>
#include <microlith/persistence/journal_reader.hpp>
#include <microlith/persistence/projection_store.hpp>

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <random>
#include <string>
#include <vector>

namespace microlith::test {

struct noted_event {
  using message = microlith::event<"crash.noted_event">;
  std::string stream;
  std::uint64_t number = 0;
  std::string text;
};
BOOST_DESCRIBE_STRUCT(noted_event, (), (stream, number, text))

/// Of the same kind, so that the table of types grows, too.
struct marked_event {
  using message = microlith::event<"crash.marked_event">;
  std::string stream;
  std::uint64_t number = 0;
};
BOOST_DESCRIBE_STRUCT(marked_event, (), (stream, number))

/// What the projection keeps of a stream.
struct noted_row {
  std::uint64_t events = 0;
  std::uint64_t sum = 0;
};
BOOST_DESCRIBE_STRUCT(noted_row, (), (events, sum))

inline constexpr table<std::string, noted_row> noted_rows{"streams"};

[[nodiscard]] projection noted_projection();

/// How the journals of these tests are opened.
[[nodiscard]] journal_options small_journal(const std::filesystem::path& data);

/// What came of reading all of a journal that may be damaged.
struct reading_outcome {
  std::string wrong;  ///< what was served and had not been written, or was left out without a word
  std::vector<storage_error> errors;
};

class ledger {
 public:
  explicit ledger(std::uint64_t seed) : random_{seed} {}

  /// Requests that are to be appended in one batch, after all that is in the ledger, which then
  /// holds them. Now and then a large event, or none of any stream.
  [[nodiscard]] std::vector<append_request> next_batch();

  /// Events so far.
  [[nodiscard]] std::uint64_t size() const { return events_.size(); }

  /// Forgets what came after `size` events: it was not acknowledged, and is gone.
  void shorten(std::uint64_t size);

  /// Empty where `data` holds at least the first `acknowledged` events, and what may be there of
  /// those after them; otherwise what is wrong. Opens it, reads all, and appends one event more.
  [[nodiscard]] std::string problem_with(const std::filesystem::path& data,
                                         std::uint64_t acknowledged) const;

  /// The same of a journal that is open, without appending.
  [[nodiscard]] std::string problem_with(const journal& opened, std::uint64_t acknowledged) const;

  /// Empty where the rows are what the events up to the checkpoint come to, before and after
  /// catching up.
  [[nodiscard]] std::string problem_with_rows(const std::filesystem::path& data,
                                              const journal& opened) const;

  /// Reads on behind every error.
  [[nodiscard]] reading_outcome read_what_can_be(const journal& opened) const;
  [[nodiscard]] reading_outcome read_what_can_be(journal_reader& opened) const;

 private:
  struct noted {
    std::string stream;
    std::uint64_t version = 0;
    std::uint64_t number = 0;
    std::string text;
    bool is_marked = false;
    message_id id;
    message_id append;
    bool ends_batch = false;
  };

  [[nodiscard]] std::string problem_with(const record_view& record) const;
  template <class Journal>
  [[nodiscard]] reading_outcome read_records(Journal& from) const;
  [[nodiscard]] std::string problem_with_index(const journal& opened) const;
  [[nodiscard]] std::map<std::string, noted_row> fold(std::uint64_t up_to) const;

  std::mt19937_64 random_;
  std::vector<noted> events_;
  std::map<std::string, std::uint64_t> versions_;
};

}  // namespace microlith::test
