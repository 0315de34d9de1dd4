#pragma once

// The journal's file: every page of it and every record. One thread, one run.

#include <microlith/persistence/internal/environment_check.hpp>
#include <microlith/persistence/internal/index_digest.hpp>
#include <microlith/persistence/internal/journal_pages.hpp>
#include <microlith/persistence/internal/witness.hpp>
#include <microlith/persistence/verify.hpp>

#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <unordered_map>

namespace microlith::internal {

class journal_check {
 public:
  /// Reads the witness first: it is never ahead of a journal that is whole. Throws
  /// storage_exception where there is nothing to check.
  journal_check(const std::filesystem::path& directory, std::function<void(finding)> found);

  /// Absent where the journal cannot be read at all; that has been reported then.
  [[nodiscard]] const journal_pages* pages() const { return pages_ ? &*pages_ : nullptr; }

  /// Who is told of each whole event as well, in order.
  using event_listener = std::function<void(const record_view&)>;

  /// Looks at everything; the events up to `digested` are added to `digest`.
  void run(std::uint64_t digested, index_digest& digest, const event_listener& listener,
           verify_report& report,
           const std::function<void(std::uint64_t, std::uint64_t)>& progress);

  /// Whether all events could be read; after the run.
  [[nodiscard]] bool all_read() const { return all_read_; }

  /// Adds the events that follow the digest's last one; false where one cannot be read.
  [[nodiscard]] bool extend(index_digest& digest, std::uint64_t to);

 private:
  void check_witness();
  void check_records(std::uint64_t digested, index_digest& digest, const event_listener& listener,
                     verify_report& report,
                     const std::function<void(std::uint64_t, std::uint64_t)>& progress);
  void check_rest();
  [[nodiscard]] std::optional<std::string> next_record(std::uint64_t position, parsed_record& out);
  void check_event(const record_view& view, const stream_key& stream);
  void unreadable(std::uint64_t position, const std::string& why);
  void report_unreadable();
  void damage(std::string text, std::uint64_t position = 0);
  void note(std::string text);

  std::filesystem::path directory_;
  std::function<void(finding)> found_;
  std::optional<witnessed> witness_;
  std::optional<journal_pages> pages_;
  std::optional<environment_check> pages_check_;
  std::optional<page_cursor> cursor_;
  std::uint64_t entries_ = 0;
  bool in_one_view_ = true;  ///< all records so far are from the first snapshot, and whole
  bool all_read_ = false;
  std::uint64_t running_hash_ = 0;
  std::unordered_map<stream_key, std::uint64_t, stream_key_hash> versions_;
  // Events in a row that cannot be read are one finding.
  std::uint64_t unreadable_from_ = 0;
  std::uint64_t unreadable_to_ = 0;
  std::string unreadable_why_;
};

}  // namespace microlith::internal
