#pragma once

// The journal of another node: asks it for pages, and verifies the records itself.
//
// Appends do not come this way (cluster.hpp). Reading blocks until the page is there, for a limited
// time; where the other node cannot be reached it ends as `unreachable` at once.

#include <microlith/actors/internal/cluster/wire.hpp>
#include <microlith/persistence/foreign_records.hpp>
#include <microlith/persistence/journal.hpp>

#include <atomic>
#include <mutex>

namespace microlith::internal {

class remote_reader {
 public:
  virtual ~remote_reader() = default;
  virtual result<wire::page, storage_error> ask_journal(wire::read question) = 0;
};

class remote_journal final : public journal {
 public:
  explicit remote_journal(remote_reader& from) : from_{from} {}

  /// The other node has greeted. False: it is another journal than before.
  [[nodiscard]] bool connect(message_id epoch, std::uint64_t last_position);
  [[nodiscard]] bool connected() const;
  void has_grown(std::uint64_t last_position);

  using journal::append;
  std::vector<append_outcome> append(append_batch requests) override;
  std::uint64_t last_position() const override;
  message_id epoch() const override;
  result<read_progress, storage_error> read(std::uint64_t from_position, read_limits limits,
                                            record_visitor visit) const override;
  result<read_progress, storage_error> read_stream(std::string_view stream,
                                                   std::uint64_t from_version, read_limits limits,
                                                   record_visitor visit) const override;
  result<std::uint64_t, storage_error> stream_version(std::string_view stream) const override;
  result<std::optional<append_positions>, storage_error> append_of(
      message_id command) const override;
  result<std::optional<std::uint64_t>, storage_error> position_of(message_id event) const override;
  result<std::vector<std::uint64_t>, storage_error> conversation(correlation_id correlation,
                                                                 std::uint64_t after,
                                                                 std::size_t limit) const override;
  std::vector<stored_type> types() const override;
  result<void, storage_error> merge_now() override { return {}; }

 private:
  result<read_progress, storage_error> visit_pages(wire::read question, read_limits limits,
                                                   record_visitor visit) const;
  [[nodiscard]] result<record_view, storage_error> verified(const wire::record& record) const;
  result<void, storage_error> learn_types() const;

  remote_reader& from_;
  std::atomic<std::uint64_t> last_position_{0};
  mutable std::mutex mutex_;
  message_id epoch_;
  mutable std::mutex types_mutex_;
  mutable foreign_records records_;
};

}  // namespace microlith::internal
