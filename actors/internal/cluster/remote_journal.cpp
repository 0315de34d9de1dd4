#include <microlith/actors/internal/cluster/remote_journal.hpp>

#include <algorithm>

namespace microlith::internal {

namespace {

/// A page fits a link without being cut, but for a record that is larger than it.
constexpr std::uint64_t page_bytes = wire::max_piece_bytes - (std::size_t{64} << 10);
constexpr std::uint64_t page_events = 4'096;

storage_error garbled(const std::string& what) {
  return {storage_error_kind::damaged, "the node that has the journal answered " + what +
                                           "; do both nodes run the same version?"};
}

}  // namespace

bool remote_journal::connect(message_id epoch, std::uint64_t last_position) {
  {
    std::lock_guard lock{mutex_};
    if (!epoch_.empty() && epoch_ != epoch)
      return false;
    epoch_ = epoch;
  }
  has_grown(last_position);
  return true;
}

bool remote_journal::connected() const {
  return !epoch().empty();
}

void remote_journal::has_grown(std::uint64_t last_position) {
  auto before = last_position_.load(std::memory_order_relaxed);
  while (before < last_position &&
         !last_position_.compare_exchange_weak(before, last_position, std::memory_order_release)) {
  }
}

std::vector<append_outcome> remote_journal::append(append_batch requests) {
  return std::vector<append_outcome>(
      requests.size(), append_refused{{.kind = failure_kind::handler_failed,
                                       .certainty = certainty::not_done,
                                       .text = "the journal of another node takes appends over its "
                                               "link only; dispatch the events",
                                       .message = {}}});
}

std::uint64_t remote_journal::last_position() const {
  return last_position_.load(std::memory_order_acquire);
}

message_id remote_journal::epoch() const {
  std::lock_guard lock{mutex_};
  return epoch_;
}

result<void, storage_error> remote_journal::learn_types() const {
  auto answer = from_.ask_journal({.what = wire::question::types, .stream = {}, .id = {}});
  if (!answer)
    return answer.error();
  if (answer->numbers.size() != answer->schemas.size())
    return garbled("types without numbers");
  std::vector<stored_type> types;
  for (std::size_t i = 0; i < answer->schemas.size(); ++i) {
    auto& layout = answer->schemas[i];
    auto& type =
        types.emplace_back(stored_type{.id = static_cast<std::uint32_t>(answer->numbers[i]),
                                       .name = layout.name,
                                       .version = layout.version,
                                       .fingerprint = layout.fingerprint,
                                       .schema = {}});
    type.schema = std::move(layout);
  }
  if (!records_.learn(std::move(types)))
    return garbled("types that are not in order");
  return {};
}

result<record_view, storage_error> remote_journal::verified(const wire::record& record) const {
  auto view = records_.read(record.position, record.stored);
  if (!view || view->type != nullptr)
    return view;
  std::lock_guard lock{types_mutex_};
  if (auto learned = learn_types(); !learned)
    return learned.error();
  view = records_.read(record.position, record.stored);
  if (view && view->type == nullptr)
    return storage_error{
        storage_error_kind::damaged,
        "record " + std::to_string(record.position) + " has a type that its journal does not know",
        record.position};
  return view;
}

result<read_progress, storage_error> remote_journal::visit_pages(wire::read question,
                                                                 read_limits limits,
                                                                 record_visitor visit) const {
  read_progress progress{.next = std::max<std::uint64_t>(question.from, 1)};
  std::uint64_t bytes_seen = 0;
  for (;;) {
    if (progress.events != 0 && (progress.events >= limits.events || bytes_seen >= limits.bytes)) {
      progress.end = false;
      return progress;
    }
    question.from = progress.next;
    question.events = std::clamp<std::uint64_t>(limits.events - progress.events, 1, page_events);
    question.bytes = std::clamp<std::uint64_t>(limits.bytes - bytes_seen, 1, page_bytes);
    auto answer = from_.ask_journal(question);
    if (!answer)
      return answer.error();
    if (answer->records.empty()) {
      progress.end = true;
      return progress;
    }
    for (const auto& record : answer->records) {
      auto view = verified(record);
      if (!view)
        return view.error();
      bytes_seen += view->body.size();
      ++progress.next;
      ++progress.events;
      bool last = &record == &answer->records.back();
      if (!visit(*view)) {
        progress.end = last && answer->end;
        return progress;
      }
    }
    if (answer->end) {
      progress.end = true;
      return progress;
    }
  }
}

result<read_progress, storage_error> remote_journal::read(std::uint64_t from_position,
                                                          read_limits limits,
                                                          record_visitor visit) const {
  // What is known to be the end needs no question.
  auto first = std::max<std::uint64_t>(from_position, 1);
  if (first > last_position())
    return read_progress{.next = first};
  return visit_pages(
      {.what = wire::question::records, .from = from_position, .stream = {}, .id = {}}, limits,
      visit);
}

result<read_progress, storage_error> remote_journal::read_stream(std::string_view stream,
                                                                 std::uint64_t from_version,
                                                                 read_limits limits,
                                                                 record_visitor visit) const {
  return visit_pages({.what = wire::question::stream,
                      .from = from_version,
                      .stream = std::string{stream},
                      .id = {}},
                     limits, visit);
}

result<std::uint64_t, storage_error> remote_journal::stream_version(std::string_view stream) const {
  auto answer = from_.ask_journal(
      {.what = wire::question::stream_version, .stream = std::string{stream}, .id = {}});
  if (!answer)
    return answer.error();
  return answer->next;
}

result<std::optional<append_positions>, storage_error> remote_journal::append_of(
    message_id command) const {
  auto answer = from_.ask_journal({.what = wire::question::append_of, .stream = {}, .id = command});
  if (!answer)
    return answer.error();
  if (answer->numbers.empty())
    return std::optional<append_positions>{};
  if (answer->numbers.size() != 2)
    return garbled("something else than two positions");
  return std::optional{append_positions{answer->numbers[0], answer->numbers[1]}};
}

result<std::optional<std::uint64_t>, storage_error> remote_journal::position_of(
    message_id event) const {
  auto answer = from_.ask_journal({.what = wire::question::position_of, .stream = {}, .id = event});
  if (!answer)
    return answer.error();
  if (answer->numbers.empty())
    return std::optional<std::uint64_t>{};
  return std::optional{answer->numbers.front()};
}

result<std::vector<std::uint64_t>, storage_error> remote_journal::conversation(
    correlation_id correlation, std::uint64_t after, std::size_t limit) const {
  auto answer = from_.ask_journal({.what = wire::question::conversation,
                                   .from = after,
                                   .events = limit,
                                   .stream = {},
                                   .id = {correlation.high, correlation.low}});
  if (!answer)
    return answer.error();
  return std::move(answer->numbers);
}

std::vector<stored_type> remote_journal::types() const {
  std::lock_guard lock{types_mutex_};
  static_cast<void>(learn_types());
  return records_.types();
}

}  // namespace microlith::internal
