#include <microlith/persistence/internal/append_rules.hpp>
#include <microlith/persistence/internal/hash.hpp>
#include <microlith/persistence/internal/lmdb_journal.hpp>
#include <microlith/persistence/internal/prefetch.hpp>

#include <utility>

namespace microlith::internal {

namespace {

// The index of small events may become larger than the journal.
constexpr std::size_t index_map_share = 2;

}  // namespace

result<std::unique_ptr<journal>, storage_error> lmdb_journal::open(journal_options options) {
  auto folder = options.directory / "journal";
  auto tables = inline_tables_of(options.inline_projections);
  if (!tables)
    return storage_error{storage_error_kind::unusable, tables.error()};
  auto file = journal_file::open(
      folder, sensible_map_size({options.map_reserve_bytes, options.map_limit_bytes}), options.sync,
      *tables);
  if (!file)
    return file.error();
  if (auto problem = (*file)->types().check(options.catalog)) {
    problem->text = "cannot open the journal in " + folder.string() + ": " + problem->text;
    return *problem;
  }
  (*file)->adopt_types(options.catalog);
  try {
    auto opened = std::make_unique<lmdb_journal>(std::move(*file), options);
    if (auto problem = opened->index_tail())
      return *problem;
    if (auto problem = opened->open_inline(options.inline_projections))
      return *problem;
    return std::unique_ptr<journal>{std::move(opened)};
  } catch (const std::exception& error) {
    return storage_error{storage_error_kind::unusable,
                         "cannot open the index in " + (options.directory / "index").string() +
                             ": " + error.what() +
                             ". Make room or mend permissions; the folder may be deleted, and is "
                             "then built again"};
  }
}

lmdb_journal::lmdb_journal(std::unique_ptr<journal_file> file, const journal_options& options)
    : file_{std::move(file)},
      index_{std::make_unique<event_index>(
          event_index_options{.directory = options.directory / "index",
                              .epoch = file_->epoch(),
                              .map = sensible_map_size({options.map_reserve_bytes,
                                                        options.map_limit_bytes * index_map_share}),
                              .sync = options.sync,
                              .merge_threshold = options.merge_threshold,
                              .merge_in_background = options.merge_in_background,
                              .on_merged = [file = file_.get()] { file->sync_witness(); }},
          file_->last_position())} {}

std::optional<storage_error> lmdb_journal::index_tail() {
  auto last = file_->last_position();
  if (index_->checkpoint() < last) {
    journal_file::reading records{*file_};
    parsed_record record;
    for (auto position = index_->checkpoint() + 1; position <= last; ++position) {
      if (auto problem = records.load(position, record))
        return problem;
      const auto& view = record.view;
      index_->load(
          {.stream = view.stream.empty() ? stream_key{} : hash_stream(view.stream, file_->secret()),
           .stream_version = view.stream_version,
           .position = position,
           .id = view.id,
           .correlation = view.correlation,
           .append = view.append});
    }
  }
  index_->start(last);
  return std::nullopt;
}

std::vector<append_outcome> lmdb_journal::append(append_batch requests) {
  std::lock_guard lock{append_mutex_};
  std::vector<append_outcome> outcomes(requests.size());
  if (requests.empty())
    return outcomes;
  if (!broken_.empty()) {
    refuse_all(requests, outcomes, failure_kind::handler_failed, certainty::not_done, broken_);
    return outcomes;
  }
  if (auto problem = index_->make_room()) {
    refuse_all(requests, outcomes, failure_kind::overloaded, certainty::not_done,
               "the journal takes nothing more for now: " + *problem);
    return outcomes;
  }
  append_all(requests, outcomes);
  return outcomes;
}

void lmdb_journal::append_all(append_batch requests, std::span<append_outcome> outcomes) {
  if (!broken_.empty()) {
    refuse_all(requests, outcomes, failure_kind::handler_failed, certainty::not_done, broken_);
    return;
  }
  // Requests that turned out to be impossible to write; the others are tried again without them.
  std::vector<bool> decided(requests.size());
  for (;;) {
    if (!plan(requests, outcomes, decided))
      return;
    switch (write(requests, outcomes, decided)) {
      case write_result::written:
      case write_result::broken:
        return;
      case write_result::not_written:
      case write_result::map_has_grown:
        break;
      case write_result::out_of_space: {
        if (requests.size() > 1) {
          // Smaller ones may still fit.
          auto half = requests.size() / 2;
          append_all(requests.first(half), outcomes.first(half));
          append_all(requests.subspan(half), outcomes.subspan(half));
        }
        return;
      }
    }
  }
}

bool lmdb_journal::plan(append_batch requests, std::span<append_outcome> outcomes,
                        const std::vector<bool>& decided) {
  placed_.clear();
  event_index::batch batch{*index_};
  try {
    streams_.list(requests, decided, file_->secret());
    for (std::size_t i = 0; i < requests.size(); ++i) {
      if (decided[i])
        continue;
      auto after = streams_.taken() + requests[i]->checks.size() + requests[i]->events.size();
      outcomes[i] = plan_one(batch, *requests[i], i);
      streams_.skip_to(after);
    }
    batch.settle();
  } catch (const std::exception& error) {
    batch.unstage(batch.staged() - placed_.size());
    placed_.clear();
    refuse_all(requests, outcomes, failure_kind::handler_failed, certainty::not_done,
               std::string{"the journal's index cannot be read: "} + error.what() +
                   ". Stop the node, delete the folder `index` beside the journal, and start it "
                   "again: the index is then built again");
    return false;
  }
  return !placed_.empty();
}

std::optional<append_outcome> lmdb_journal::check_streams(event_index::batch& batch,
                                                          const append_request& request) {
  for (const auto& check : request.checks) {
    const auto& planned = streams_.next(batch);
    auto head = batch.head_of(planned.key, planned.may_be_merged);
    if (!check.expected.met_by(head.at.version))
      return append_conflict{check.stream, check.expected.text(), head.at.version};
    if (check.built_on.empty())
      continue;
    auto last_append =
        head.append_known || head.at.position == 0 ? head.append : append_at(head.at.position);
    if (last_append != check.built_on)
      return append_conflict{check.stream, "to follow append " + to_string(check.built_on),
                             head.at.version};
  }
  return std::nullopt;
}

append_outcome lmdb_journal::plan_one(event_index::batch& batch, append_request& request,
                                      std::size_t number) {
  if (auto problem = problem_with(request))
    return misused_append(*problem, request.id);
  if (!request.id.empty()) {
    if (auto before = batch.append_of(request.id))
      return already_appended{before->first, before->last};
  }
  if (auto conflict = check_streams(batch, request))
    return *conflict;
  if (request.events.empty())
    return appended{};

  auto placed_before = placed_.size();
  auto staged_before = batch.staged();
  auto position = file_->last_position() + placed_before;
  auto first = position + 1;
  auto take_back_and = [&](append_outcome outcome) {
    placed_.resize(placed_before);
    batch.unstage(staged_before);
    return outcome;
  };
  for (auto& event : request.events) {
    const auto& head = event.message.head();
    auto type = file_->types().intern(event.message.type());
    if (!type)
      return take_back_and(misused_append(type.error(), request.id));
    if (auto before = batch.position_of(head.id)) {
      if (*before >= first)
        return take_back_and(misused_append(
            "two of its events have the message id " + to_string(head.id), request.id));
      return take_back_and(already_appended{*before, *before});
    }
    const auto& planned = streams_.next(batch);
    auto version =
        planned.key.empty() ? 0 : batch.head_of(planned.key, planned.may_be_merged).at.version + 1;
    batch.stage({.stream = planned.key,
                 .stream_version = version,
                 .position = ++position,
                 .id = head.id,
                 .correlation = head.correlation,
                 .append = request.id});
    placed_.push_back({number, &event, version, *type});
  }
  return appended{first, position};
}

lmdb_journal::write_result lmdb_journal::write(append_batch requests,
                                               std::span<append_outcome> outcomes,
                                               std::vector<bool>& decided) {
  bool committing = false;
  try {
    std::optional<journal_file::writing> writing;
    writing.emplace(*file_);
    encoded_facts_ = nullptr;
    facts_.clear();
    auto position = file_->last_position();
    for (std::size_t i = 0; i < placed_.size(); ++i) {
      if (i + events_ahead < placed_.size())
        prefetch(*placed_[i + events_ahead].event);
      const auto& placed = placed_[i];
      auto& request = *requests[placed.request];
      std::uint64_t sum = 0;
      if (auto problem = encode(placed, request, ++position, sum)) {
        outcomes[placed.request] =
            misused_append(placed.event->message.print() + " " + *problem, request.id);
        decided[placed.request] = true;
        take_back();
        return write_result::not_written;
      }
      writing->add(record_, sum);
      if (inline_) {
        if (auto why = apply_inline(placed, writing->transaction().get(), position)) {
          writing.reset();
          refuse_inapplicable(requests, outcomes, decided, placed.request, *why);
          take_back();
          return write_result::not_written;
        }
      }
    }
    if (inline_)
      inline_->save(writing->transaction(), position);
    committing = true;
    auto last = writing->commit();
    if (inline_)
      inline_->committed(last);
    index_->committed(last);
    file_->publish(last);
  } catch (const lmdb_error& error) {
    take_back();
    if ((error.map_full() && file_->grow()) ||
        (error.out_of_space() && file_->forget_dead_readers()))
      return write_result::map_has_grown;
    std::string what =
        "cannot append to the journal in " + file_->directory().string() + ": " + error.what();
    bool no_space =
        committing ? file_->look_at_failed_commit(error) == journal_file::failed_commit::no_space
                   : error.out_of_space();
    if (no_space) {
      refuse_all(
          requests, outcomes, failure_kind::overloaded, certainty::not_done,
          what + ". Make room on the disk or raise the map limit; appends succeed again then");
      return write_result::out_of_space;
    }
    broken_ = what + ". The journal takes nothing more: stop the node and start it again";
    refuse_all(requests, outcomes, failure_kind::handler_failed,
               committing ? certainty::unknown : certainty::not_done, broken_);
    return write_result::broken;
  }
  auto position = file_->last_position() - placed_.size();
  for (const auto& placed : placed_) {
    placed.event->message.position = ++position;
    placed.event->message.stream_version = placed.stream_version;
  }
  return write_result::written;
}

std::optional<std::string> lmdb_journal::encode(const placed_event& placed,
                                                const append_request& request,
                                                std::uint64_t position, std::uint64_t& checksum) {
  const auto& message = placed.event->message;
  // Events of one conversation share their facts.
  if (const auto* facts = message.head().facts.get(); facts != encoded_facts_) {
    facts_.clear();
    if (facts != nullptr)
      encode_facts(facts_, *facts);
    encoded_facts_ = facts;
    if (facts_.size() > max_facts_bytes)
      return "has more than " + std::to_string(max_facts_bytes) +
             " bytes of origin, principal and headers";
  }
  try {
    checksum = encode_record(record_,
                             {.position = position,
                              .stream_version = placed.stream_version,
                              .stream = placed.event->stream,
                              .append = request.id,
                              .type = placed.type},
                             message, facts_);
  } catch (const std::exception& error) {
    return std::string{"cannot be encoded: "} + error.what();
  }
  if (record_.size() > max_event_bytes)
    return "has more than " + std::to_string(max_event_bytes) + " bytes";
  return std::nullopt;
}

void lmdb_journal::take_back() {
  index_->take_back(file_->last_position());
  file_->types().take_back();
  if (inline_)
    inline_->forget_types();
}

void lmdb_journal::refuse_all(append_batch requests, std::span<append_outcome> outcomes,
                              failure_kind kind, certainty sure, const std::string& why) {
  for (std::size_t i = 0; i < outcomes.size(); ++i)
    outcomes[i] = append_refused{{kind, sure, why, requests[i]->id}};
}

message_id lmdb_journal::append_at(std::uint64_t position) const {
  journal_file::reading records{*file_};
  parsed_record record;
  if (auto problem = records.load(position, record))
    throw storage_exception{*problem};
  return record.view.append;
}

result<void, storage_error> lmdb_journal::merge_now() {
  std::lock_guard lock{append_mutex_};
  try {
    index_->merge_now();
  } catch (const std::exception& error) {
    return storage_error{storage_error_kind::full,
                         std::string{"cannot merge the journal's index: "} + error.what()};
  }
  return {};
}

}  // namespace microlith::internal

namespace microlith {

std::vector<append_outcome> journal::append(std::span<append_request> requests) {
  std::vector<append_request*> batch;
  batch.reserve(requests.size());
  for (auto& request : requests)
    batch.push_back(&request);
  return append(append_batch{batch});
}

result<std::unique_ptr<journal>, storage_error> journal::open(journal_options options) {
  return internal::lmdb_journal::open(std::move(options));
}

}  // namespace microlith
