#pragma once

// A journal that does what the test tells it to before it does its own work: refuses appends, or
// lets somebody else append first.

#include <microlith/persistence/journal.hpp>

#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace microlith::test {

/// What the test says; shared with the journal. Change it between the steps of a deterministic
/// node.
struct journal_script {
  /// Called at every commit, before it, with the real journal.
  std::function<void(journal&)> before_append;
  /// Whether an append is refused, and why.
  std::function<std::optional<failure>(const append_request&)> refuses;
  /// Why nothing can be read by position, while that is so.
  std::optional<storage_error> cannot_read = {};
  /// The same of streams.
  std::optional<storage_error> cannot_load = {};
  /// How many requests each commit was given.
  std::vector<std::size_t> batches;
  /// How often a stream was loaded.
  std::size_t stream_reads = 0;
  /// And from which version on.
  std::vector<std::uint64_t> stream_reads_from = {};
};

[[nodiscard]] inline failure disk_is_full() {
  return {.kind = failure_kind::overloaded,
          .certainty = certainty::not_done,
          .text = "the disk is full; make room",
          .message = {}};
}

class scripted_journal final : public journal {
 public:
  scripted_journal(std::unique_ptr<journal> real, std::shared_ptr<journal_script> script)
      : real_{std::move(real)}, script_{std::move(script)} {}

  using journal::append;
  std::vector<append_outcome> append(append_batch requests) override {
    script_->batches.push_back(requests.size());
    if (script_->before_append)
      script_->before_append(*real_);
    std::vector<std::optional<append_outcome>> outcomes(requests.size());
    std::vector<append_request*> passed;
    for (std::size_t i = 0; i < requests.size(); ++i) {
      if (auto why = script_->refuses ? script_->refuses(*requests[i]) : std::nullopt)
        outcomes[i] = append_refused{*why};
      else
        passed.push_back(requests[i]);
    }
    auto real = real_->append(append_batch{passed});
    std::vector<append_outcome> all;
    for (std::size_t i = 0, next = 0; i < requests.size(); ++i) {
      if (!outcomes[i])
        outcomes[i] = std::move(real[next++]);
      all.push_back(std::move(*outcomes[i]));
    }
    return all;
  }

  std::uint64_t last_position() const override { return real_->last_position(); }
  message_id epoch() const override { return real_->epoch(); }
  result<read_progress, storage_error> read(std::uint64_t from, read_limits limits,
                                            record_visitor visit) const override {
    if (script_->cannot_read)
      return *script_->cannot_read;
    return real_->read(from, limits, visit);
  }
  result<read_progress, storage_error> read_stream(std::string_view stream, std::uint64_t from,
                                                   read_limits limits,
                                                   record_visitor visit) const override {
    {
      // Shards on several threads load at the same time.
      std::lock_guard lock{mutex_};
      ++script_->stream_reads;
      script_->stream_reads_from.push_back(from);
    }
    if (script_->cannot_load)
      return *script_->cannot_load;
    return real_->read_stream(stream, from, limits, visit);
  }
  result<std::uint64_t, storage_error> stream_version(std::string_view stream) const override {
    return real_->stream_version(stream);
  }
  result<std::optional<append_positions>, storage_error> append_of(
      message_id command) const override {
    return real_->append_of(command);
  }
  result<std::optional<std::uint64_t>, storage_error> position_of(message_id event) const override {
    return real_->position_of(event);
  }
  result<std::vector<std::uint64_t>, storage_error> conversation(correlation_id correlation,
                                                                 std::uint64_t after,
                                                                 std::size_t limit) const override {
    return real_->conversation(correlation, after, limit);
  }
  std::vector<stored_type> types() const override { return real_->types(); }
  const projection_rows* rows_of(std::string_view projection) const override {
    return real_->rows_of(projection);
  }
  result<void, storage_error> merge_now() override { return real_->merge_now(); }

 private:
  mutable std::mutex mutex_;
  std::unique_ptr<journal> real_;
  std::shared_ptr<journal_script> script_;
};

/// For `node_options::wrap_journal`.
[[nodiscard]] inline auto scripted(std::shared_ptr<journal_script> script) {
  return [script = std::move(script)](std::unique_ptr<journal> real) -> std::unique_ptr<journal> {
    return std::make_unique<scripted_journal>(std::move(real), script);
  };
}

/// Appends one event to a stream, as somebody else would.
template <event_message E>
void append_behind_its_back(journal& to, E event, std::string stream) {
  envelope_head head;
  head.id = message_id::make();
  head.correlation = correlation_id::make();
  head.root = head.id;
  std::vector<append_request> requests(1);
  requests[0].id = message_id::make();
  requests[0].events.push_back({envelope{std::move(head), std::move(event)}, std::move(stream)});
  auto outcomes = to.append(requests);
  if (!std::holds_alternative<appended>(outcomes.front()))
    throw std::logic_error{"the foreign event was not appended"};
}

}  // namespace microlith::test
