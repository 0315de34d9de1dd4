#include <microlith/messages/print.hpp>
#include <microlith/persistence/internal/byte_order.hpp>
#include <microlith/persistence/internal/hash.hpp>
#include <microlith/persistence/internal/journal_check.hpp>
#include <microlith/persistence/internal/rows_check.hpp>

#include <algorithm>
#include <array>
#include <cerrno>
#include <limits>
#include <utility>

namespace microlith::internal {

namespace {

constexpr std::uint64_t events_between_reports = 4096;
// Each costs a way down the tree: where so many in a row are gone, the rest may be, too.
constexpr std::uint64_t max_unreadable = 100'000;
constexpr std::string_view restore = ". Stop the node and restore a backup";

std::string events_text(std::uint64_t from, std::uint64_t to) {
  return from == to ? "event " + std::to_string(from)
                    : "events " + std::to_string(from) + " to " + std::to_string(to);
}

}  // namespace

journal_check::journal_check(const std::filesystem::path& directory,
                             std::function<void(finding)> found)
    : directory_{directory},
      found_{std::move(found)},
      witness_{read_witness(directory / "witness")} {
  try {
    pages_.emplace(directory);
  } catch (const other_format&) {
    throw;
  } catch (const storage_exception& error) {
    bool had_events = witness_ && witness_->position > 0;
    if (error.error().kind != storage_error_kind::damaged && !had_events)
      throw;
    std::string held = had_events
                           ? "; it had held " + std::to_string(witness_->position) + " events"
                           : std::string{};
    damage(error.error().text + held, error.error().position);
  } catch (const page_file_error& error) {
    throw storage_exception{
        {error.code() == EIO ? storage_error_kind::io : storage_error_kind::unusable,
         "cannot read the journal in " + directory.string() + ": " + error.what()}};
  }
}

void journal_check::damage(std::string text, std::uint64_t position) {
  found_({true, "journal", std::move(text), position});
}

void journal_check::note(std::string text) {
  found_({false, "journal", std::move(text)});
}

void journal_check::check_witness() {
  const auto& seen = pages_->snapshot();
  if (!witness_) {
    note("there is no whole witness: whether the last commit is there cannot be told");
    return;
  }
  if (witness_->epoch != pages_->meta().epoch) {
    note("the witness is of another journal: whether the last commit is there cannot be told");
    return;
  }
  // That it is not ahead of what is there was seen when the journal was looked at first.
  if (witness_->transaction == seen.transaction && witness_->meta_hash != 0 &&
      witness_->meta_hash != seen.hash && pages_->intact())
    damage("its meta page or main table is not what was written" + std::string{restore});
}

void journal_check::run(std::uint64_t digested, index_digest& digest,
                        const event_listener& listener, verify_report& report,
                        const std::function<void(std::uint64_t, std::uint64_t)>& progress) {
  check_witness();
  try {
    pages_check_.emplace(pages_->file(), pages_->snapshot());
  } catch (const page_error& error) {
    damage("data.mdb in " + directory_.string() + " is damaged: " + error.what() +
           std::string{restore});
    in_one_view_ = false;
  }
  check_records(digested, digest, listener, report, progress);
  check_rest();
}

std::optional<std::string> journal_check::next_record(std::uint64_t position, parsed_record& out) {
  if (in_one_view_) {
    // The first walk sees each page once, which is what accounting for them needs.
    try {
      if (!cursor_)
        cursor_.emplace(pages_->file(), pages_->snapshot(), pages_->records(), &*pages_check_);
      bool more = entries_ == 0 ? cursor_->first() : cursor_->next();
      std::array<std::byte, 8> key;
      store_be(key.data(), position);
      if (more && std::ranges::equal(cursor_->key(), key)) {
        ++entries_;
        const char* wrong = parse_record(position, cursor_->value(), out);
        if (wrong == nullptr && out.type > 0 && out.type <= pages_->types().size()) {
          out.view.type = pages_->types()[out.type - 1].get();
          return std::nullopt;
        }
      }
    } catch (const page_error&) {
      // Seen again below, or overtaken by the node.
    }
    in_one_view_ = false;
  }
  if (auto problem = pages_->load(position, out))
    return problem->text;
  return std::nullopt;
}

void journal_check::unreadable(std::uint64_t position, const std::string& why) {
  if (unreadable_to_ + 1 != position || unreadable_from_ == 0) {
    report_unreadable();
    unreadable_from_ = position;
    unreadable_why_ = why;
  }
  unreadable_to_ = position;
}

void journal_check::report_unreadable() {
  if (unreadable_from_ == 0)
    return;
  auto text = unreadable_why_;
  if (unreadable_to_ > unreadable_from_)
    text = events_text(unreadable_from_, unreadable_to_) + " cannot be read; the first: " + text;
  damage(std::move(text), unreadable_from_);
  unreadable_from_ = 0;
}

void journal_check::check_event(const record_view& view, const stream_key& stream) {
  if (view.stream.empty() != (view.stream_version == 0)) {
    damage("event " + std::to_string(view.position) + " has a stream or a version, and not both" +
               std::string{restore},
           view.position);
    return;
  }
  if (view.stream.empty())
    return;
  auto& last = versions_[stream];
  // What cannot be read may have been any stream's next.
  bool follows = unreadable_to_ == 0 ? view.stream_version == last + 1 : view.stream_version > last;
  if (!follows)
    damage("event " + std::to_string(view.position) + " is version " +
               std::to_string(view.stream_version) + " of stream " + print_text(view.stream) +
               ", after version " + std::to_string(last) + std::string{restore},
           view.position);
  last = view.stream_version;
}

void journal_check::check_records(
    std::uint64_t digested, index_digest& digest, const event_listener& listener,
    verify_report& report, const std::function<void(std::uint64_t, std::uint64_t)>& progress) {
  const auto state = pages_->state();
  const auto first_entries = pages_->records().entries;
  if (first_entries != state.last_position)
    damage("it should hold " + std::to_string(state.last_position) +
           " events, and says that it holds " + std::to_string(first_entries) +
           std::string{restore});
  bool hash_known = true;
  parsed_record record;
  for (std::uint64_t position = 1; position <= state.last_position; ++position) {
    if (progress && position % events_between_reports == 0)
      progress(position, state.last_position);
    if (auto why = next_record(position, record)) {
      hash_known = false;
      unreadable(position, *why);
      if (position - unreadable_from_ < max_unreadable)
        continue;
      report_unreadable();
      note(events_text(position + 1, state.last_position) + " were not looked at");
      return;
    }
    ++report.events;
    const auto& view = record.view;
    auto stream =
        view.stream.empty() ? stream_key{} : hash_stream(view.stream, pages_->meta().secret);
    check_event(view, stream);
    listener(view);
    if (position <= digested && digest.last() + 1 == position)
      digest.add_event(view, stream);
    running_hash_ = extend_running_hash(running_hash_, record.checksum);
    if (hash_known && witness_ && witness_->position == position &&
        witness_->epoch == pages_->meta().epoch && witness_->running_hash != running_hash_)
      damage("the events up to " + std::to_string(position) +
                 " are whole, and are not those that were acknowledged" + std::string{restore},
             position);
  }
  report_unreadable();
  all_read_ = hash_known;
  if (hash_known && running_hash_ != state.running_hash)
    damage("its events are whole, and are not those that were written" + std::string{restore});
  report.streams = versions_.size();
}

void journal_check::check_rest() {
  auto broken = [&](const std::string& what) {
    damage("data.mdb in " + directory_.string() + " is damaged: " + what + std::string{restore});
  };
  // Inline rows lie beside the events.
  auto look = [end = pages_->state().last_position](
                  std::string_view table, std::span<const std::byte> key,
                  std::span<const std::byte> value) { (void)check_inline(table, key, value, end); };
  if (in_one_view_) {
    try {
      if (!cursor_)
        cursor_.emplace(pages_->file(), pages_->snapshot(), pages_->records(), &*pages_check_);
      else if (cursor_->next())
        throw page_error{"there are events behind the last one"};
      pages_check_->compare(records_table_name, pages_->records(), cursor_->seen(), entries_);
      pages_check_->walk(look, records_table_name);
      pages_check_->account();
      if (pages_->intact())
        return;
    } catch (const page_error& error) {
      if (pages_->intact()) {
        broken(error.what());
        return;
      }
    }
  }
  // All but the events, which were looked at one by one, and so without their pages.
  auto result = check_steadily(pages_->file(), [&](const page_snapshot&, environment_check& check) {
    // The node may have appended since.
    check.walk(
        [](std::string_view table, std::span<const std::byte> key,
           std::span<const std::byte> value) {
          (void)check_inline(table, key, value, std::numeric_limits<std::uint64_t>::max());
        },
        records_table_name);
    check.walk_free();
  });
  if (!result.problem.empty())
    broken(result.problem);
  else
    note("which pages are free was not compared with those in use: " +
         std::string{unreadable_to_ != 0 ? "not all could be read"
                                         : "a node was writing meanwhile; stop it for that"});
}

bool journal_check::extend(index_digest& digest, std::uint64_t to) {
  parsed_record record;
  while (digest.last() < to) {
    if (to > pages_->state().last_position)
      pages_->refresh();
    if (pages_->load(digest.last() + 1, record))
      return false;
    const auto& view = record.view;
    digest.add_event(
        view, view.stream.empty() ? stream_key{} : hash_stream(view.stream, pages_->meta().secret));
  }
  digest.end_append();
  return true;
}

}  // namespace microlith::internal
