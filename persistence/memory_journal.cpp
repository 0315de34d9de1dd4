#include <microlith/persistence/internal/append_rules.hpp>
#include <microlith/persistence/internal/record_layout.hpp>
#include <microlith/persistence/internal/type_registry.hpp>
#include <microlith/persistence/memory_journal.hpp>

#include <algorithm>
#include <deque>
#include <map>
#include <mutex>
#include <set>
#include <string>
#include <unordered_map>
#include <utility>

namespace microlith {

namespace {

using internal::parsed_record;

class memory_journal final : public journal {
 public:
  memory_journal() : epoch_{message_id::make()} {}

  using journal::append;
  std::vector<append_outcome> append(append_batch requests) override {
    std::lock_guard lock{mutex_};
    std::vector<append_outcome> outcomes;
    for (auto* request : requests)
      outcomes.push_back(append_one(*request));
    types_.committed();
    return outcomes;
  }

  std::uint64_t last_position() const override {
    std::lock_guard lock{mutex_};
    return records_.size();
  }

  message_id epoch() const override { return epoch_; }

  result<read_progress, storage_error> read(std::uint64_t from_position, read_limits limits,
                                            record_visitor visit) const override {
    auto first = std::max<std::uint64_t>(from_position, 1);
    return visit_each(first, limits, visit, [&](std::uint64_t position) {
      return position <= records_.size() ? position : 0;
    });
  }

  result<read_progress, storage_error> read_stream(std::string_view stream,
                                                   std::uint64_t from_version, read_limits limits,
                                                   record_visitor visit) const override {
    auto first = std::max<std::uint64_t>(from_version, 1);
    return visit_each(first, limits, visit, [&](std::uint64_t version) -> std::uint64_t {
      auto found = streams_.find(stream);
      return found != streams_.end() && version <= found->second.size() ? found->second[version - 1]
                                                                        : 0;
    });
  }

  result<std::uint64_t, storage_error> stream_version(std::string_view stream) const override {
    std::lock_guard lock{mutex_};
    return version_of(stream);
  }

  result<std::optional<append_positions>, storage_error> append_of(
      message_id command) const override {
    std::lock_guard lock{mutex_};
    auto found = appends_.find(command);
    return found == appends_.end() ? std::nullopt : std::optional{found->second};
  }

  result<std::optional<std::uint64_t>, storage_error> position_of(message_id event) const override {
    std::lock_guard lock{mutex_};
    auto found = events_.find(event);
    return found == events_.end() ? std::nullopt : std::optional{found->second};
  }

  result<std::vector<std::uint64_t>, storage_error> conversation(correlation_id correlation,
                                                                 std::uint64_t after,
                                                                 std::size_t limit) const override {
    std::lock_guard lock{mutex_};
    std::vector<std::uint64_t> positions;
    auto found = conversations_.find(correlation);
    if (found == conversations_.end())
      return positions;
    const auto& all = found->second;
    auto next = std::upper_bound(all.begin(), all.end(), after);
    for (; next != all.end() && positions.size() < limit; ++next)
      positions.push_back(*next);
    return positions;
  }

  std::vector<stored_type> types() const override { return types_.all(); }
  result<void, storage_error> merge_now() override { return {}; }

 private:
  append_outcome append_one(append_request& request) {
    if (auto problem = internal::problem_with(request))
      return internal::misused_append(*problem, request.id);
    if (!request.id.empty()) {
      if (auto before = appends_.find(request.id); before != appends_.end())
        return already_appended{before->second.first, before->second.last};
    }
    for (const auto& check : request.checks) {
      auto actual = version_of(check.stream);
      if (!check.expected.met_by(actual))
        return append_conflict{check.stream, check.expected.text(), actual};
      if (!check.built_on.empty() &&
          (actual == 0 || last_append_.find(check.stream)->second != check.built_on))
        return append_conflict{check.stream, "to follow append " + to_string(check.built_on),
                               actual};
    }
    // Everything is encoded before anything is kept.
    auto first = records_.size() + 1;
    std::map<std::string_view, std::uint64_t> versions;
    std::set<message_id> ids;
    std::vector<bytes> encoded;
    for (auto& event : request.events) {
      const auto& head = event.message.head();
      auto type = types_.intern(event.message.type());
      if (!type)
        return internal::misused_append(type.error(), request.id);
      if (auto before = events_.find(head.id); before != events_.end())
        return already_appended{before->second, before->second};
      if (!ids.insert(head.id).second)
        return internal::misused_append(
            "two of its events have the message id " + to_string(head.id), request.id);
      std::uint64_t version = 0;
      if (!event.stream.empty())
        version = ++versions.try_emplace(event.stream, version_of(event.stream)).first->second;
      bytes facts;
      internal::encode_facts(facts, facts_of(head));
      if (facts.size() > max_facts_bytes)
        return internal::misused_append(
            "an event has too many bytes of origin, principal and headers", request.id);
      auto& record = encoded.emplace_back();
      try {
        internal::encode_record(record,
                                {.position = first + encoded.size() - 1,
                                 .stream_version = version,
                                 .stream = event.stream,
                                 .append = request.id,
                                 .type = *type},
                                event.message, facts);
      } catch (const std::exception& error) {
        return internal::misused_append(error.what(), request.id);
      }
      if (record.size() > max_event_bytes)
        return internal::misused_append(
            "an event has more than " + std::to_string(max_event_bytes) + " bytes", request.id);
    }
    for (std::size_t i = 0; i < encoded.size(); ++i)
      keep(request, request.events[i], std::move(encoded[i]));
    if (encoded.empty())
      return appended{};
    if (!request.id.empty())
      appends_.emplace(request.id, append_positions{first, records_.size()});
    return appended{first, records_.size()};
  }

  void keep(const append_request& request, new_event& event, bytes record) {
    records_.push_back(std::move(record));
    auto position = records_.size();
    event.message.position = position;
    if (!event.stream.empty()) {
      auto& stream = streams_[event.stream];
      stream.push_back(position);
      event.message.stream_version = stream.size();
      last_append_[event.stream] = request.id;
    }
    events_.emplace(event.message.head().id, position);
    conversations_[event.message.head().correlation].push_back(position);
  }

  [[nodiscard]] std::uint64_t version_of(std::string_view stream) const {
    auto found = streams_.find(stream);
    return found == streams_.end() ? 0 : found->second.size();
  }

  // The visitor runs without the lock, so that it may use the journal. Records stay where they are.
  template <class PositionAt>
  result<read_progress, storage_error> visit_each(std::uint64_t first, read_limits limits,
                                                  record_visitor visit,
                                                  PositionAt position_at) const {
    read_progress progress{.next = first};
    std::uint64_t bytes_seen = 0;
    for (;;) {
      const bytes* record = nullptr;
      std::uint64_t position = 0;
      {
        std::lock_guard lock{mutex_};
        position = position_at(progress.next);
        if (position != 0)
          record = &records_[position - 1];
      }
      progress.end = record == nullptr;
      bool full =
          progress.events != 0 && (progress.events >= limits.events || bytes_seen >= limits.bytes);
      if (record == nullptr || full)
        return progress;
      parsed_record parsed;
      if (const char* problem = internal::parse_record(position, *record, parsed))
        return storage_error{storage_error_kind::damaged, problem, position};
      parsed.view.type = types_.find(parsed.type);
      bytes_seen += parsed.view.body.size();
      ++progress.next;
      ++progress.events;
      if (!visit(parsed.view)) {
        std::lock_guard lock{mutex_};
        progress.end = position_at(progress.next) == 0;
        return progress;
      }
    }
  }

  message_id epoch_;
  mutable std::mutex mutex_;
  internal::type_registry types_;
  std::deque<bytes> records_;
  std::map<std::string, std::vector<std::uint64_t>, std::less<>> streams_;
  std::map<std::string, message_id, std::less<>> last_append_;
  std::unordered_map<message_id, std::uint64_t> events_;
  std::unordered_map<message_id, append_positions> appends_;
  std::unordered_map<correlation_id, std::vector<std::uint64_t>> conversations_;
};

}  // namespace

std::unique_ptr<journal> make_memory_journal() {
  return std::make_unique<memory_journal>();
}

}  // namespace microlith
