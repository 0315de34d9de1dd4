#pragma once

// The journal on disk: records in one LMDB environment, the index in memory and in another.
//
// An append goes through three passes: `plan` checks every request against the index and gives out
// positions (under the index's lock), `write` encodes and commits (without it), and then the index
// learns that it is committed. Where the commit fails, the plan is taken back.

#include <microlith/persistence/internal/event_index.hpp>
#include <microlith/persistence/internal/inline_rows.hpp>
#include <microlith/persistence/internal/journal_file.hpp>
#include <microlith/persistence/internal/planned_streams.hpp>
#include <microlith/persistence/journal.hpp>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace microlith::internal {

class lmdb_journal final : public journal {
 public:
  [[nodiscard]] static result<std::unique_ptr<journal>, storage_error> open(
      journal_options options);
  lmdb_journal(std::unique_ptr<journal_file> file, const journal_options& options);

  using journal::append;
  std::vector<append_outcome> append(append_batch requests) override;
  std::uint64_t last_position() const override { return file_->last_position(); }
  message_id epoch() const override { return file_->epoch(); }
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
  std::vector<stored_type> types() const override { return file_->types().all(); }
  result<void, storage_error> merge_now() override;
  const projection_rows* rows_of(std::string_view projection) const override {
    return inline_ ? inline_->find(projection) : nullptr;
  }

 private:
  /// An event that has its place.
  struct placed_event {
    std::size_t request = 0;
    new_event* event = nullptr;
    std::uint64_t stream_version = 0;
    std::uint32_t type = 0;
  };
  enum class write_result { written, out_of_space, map_has_grown, not_written, broken };

  [[nodiscard]] std::optional<storage_error> index_tail();
  void append_all(append_batch requests, std::span<append_outcome> outcomes);
  [[nodiscard]] bool plan(append_batch requests, std::span<append_outcome> outcomes,
                          const std::vector<bool>& decided);
  [[nodiscard]] append_outcome plan_one(event_index::batch& batch, append_request& request,
                                        std::size_t number);
  [[nodiscard]] std::optional<append_outcome> check_streams(event_index::batch& batch,
                                                            const append_request& request);
  [[nodiscard]] write_result write(append_batch requests, std::span<append_outcome> outcomes,
                                   std::vector<bool>& decided);
  void take_back();
  /// Into `record_`; what is wrong with it, otherwise.
  [[nodiscard]] std::optional<std::string> encode(const placed_event& placed,
                                                  const append_request& request,
                                                  std::uint64_t position, std::uint64_t& checksum);
  [[nodiscard]] std::optional<storage_error> open_inline(
      const std::vector<projection_group>& projections);
  [[nodiscard]] std::optional<std::string> apply_inline(const placed_event& placed,
                                                        MDB_txn* transaction,
                                                        std::uint64_t position);
  void refuse_inapplicable(append_batch requests, std::span<append_outcome> outcomes,
                           std::vector<bool>& decided, std::size_t found, const std::string& why);
  [[nodiscard]] message_id append_at(std::uint64_t position) const;
  static void refuse_all(append_batch requests, std::span<append_outcome> outcomes,
                         failure_kind kind, certainty sure, const std::string& why);
  template <class F>
  auto looking_up(F f) const -> result<decltype(f()), storage_error>;

  std::unique_ptr<journal_file> file_;
  std::unique_ptr<event_index> index_;
  std::unique_ptr<inline_rows> inline_;  ///< null where there are none

  std::mutex append_mutex_;
  std::string broken_;  ///< why nothing can be appended any more
  // Reused by every append.
  std::vector<placed_event> placed_;
  planned_streams streams_;
  bytes record_;
  bytes facts_;
  const conversation_facts* encoded_facts_ = nullptr;  ///< what `facts_` are of
};

}  // namespace microlith::internal
