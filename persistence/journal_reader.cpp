#include <microlith/persistence/internal/hash.hpp>
#include <microlith/persistence/internal/index_pages.hpp>
#include <microlith/persistence/internal/journal_pages.hpp>
#include <microlith/persistence/journal_reader.hpp>

#include <algorithm>
#include <optional>
#include <utility>

namespace microlith {

namespace {

/// What leaves the classes of internal/ as an exception, as a value.
template <class F>
auto reading(const std::filesystem::path& data, F f) -> result<decltype(f()), storage_error> {
  auto attempted = "cannot read the journal in " + data.string() + ": ";
  try {
    if constexpr (std::is_void_v<decltype(f())>) {
      f();
      return {};
    } else {
      return f();
    }
  } catch (const storage_exception& error) {
    return error.error();
  } catch (const internal::page_file_error& error) {
    auto kind = error.code() == EIO ? storage_error_kind::io : storage_error_kind::unusable;
    return storage_error{kind, attempted + error.what()};
  } catch (const std::exception& error) {
    return storage_error{storage_error_kind::unusable, attempted + error.what()};
  }
}

}  // namespace

class journal_reader::state {
 public:
  explicit state(const std::filesystem::path& directory)
      : data{directory},
        pages{directory / "journal"},
        index{directory / "index", pages.meta().epoch} {}

  [[nodiscard]] std::uint64_t last() const { return pages.state().last_position; }

  /// Throws storage_exception where it cannot be read.
  const record_view& load(std::uint64_t position) {
    ++events_read;
    if (auto problem = pages.load(position, record))
      throw storage_exception{*problem};
    return record.view;
  }

  /// Visits what `takes` takes of the events from a position on.
  template <class Takes>
  void scan(std::uint64_t from, Takes takes, record_visitor visit) {
    for (auto position = from, end = last(); position <= end; ++position) {
      const auto& view = load(position);
      if (takes(view) && !visit(view))
        return;
    }
  }

  /// `next_page(after)` asks the index for positions; `fits` whether a record is one that the index
  /// should have named there. Where one is not, the index is not believed any more.
  template <class NextPage, class Fits, class Takes>
  void read_indexed(std::uint64_t from, NextPage next_page, Fits fits, Takes takes,
                    record_visitor visit) {
    from = std::max<std::uint64_t>(from, 1);
    for (;;) {
      auto page = next_page();
      if (!page)
        break;
      for (auto position : *page) {
        if (position > last())
          return;
        const auto& view = load(position);
        if (!fits(view)) {
          scan(from, takes, visit);
          return;
        }
        if (position < from)
          continue;
        from = position + 1;
        if (!visit(view))
          return;
      }
      if (page->size() < page_positions) {
        from = std::max(from, index.checkpoint() + 1);
        break;
      }
    }
    scan(from, takes, visit);
  }

  /// The first position whose record `takes` takes; `found` is what the index says.
  template <class Takes>
  std::uint64_t first_of(std::optional<std::uint64_t> found, Takes takes) {
    auto from = std::uint64_t{1};
    if (found && *found != 0 && *found <= last() && takes(load(*found)))
      return *found;
    if (found && (*found == 0 || *found > last()))
      from = index.checkpoint() + 1;
    std::uint64_t first = 0;
    scan(from, takes, [&](const record_view& view) {
      first = view.position;
      return false;
    });
    return first;
  }

  static constexpr std::size_t page_positions = 1000;

  std::filesystem::path data;
  internal::journal_pages pages;
  internal::index_pages index;
  internal::parsed_record record;
  std::uint64_t events_read = 0;
};

result<std::unique_ptr<journal_reader>, storage_error> journal_reader::open(
    const std::filesystem::path& data) {
  return reading(data, [&] {
    return std::unique_ptr<journal_reader>{new journal_reader{std::make_unique<state>(data)}};
  });
}

journal_reader::journal_reader(std::unique_ptr<state> s) : state_{std::move(s)} {}
journal_reader::~journal_reader() = default;

result<void, storage_error> journal_reader::refresh() {
  return reading(state_->data, [&] {
    state_->pages.refresh();
    state_->index.refresh();
  });
}

std::uint64_t journal_reader::last_position() const {
  return state_->pages.state().last_position;
}

message_id journal_reader::epoch() const {
  return state_->pages.meta().epoch;
}

std::vector<stored_type> journal_reader::types() const {
  std::vector<stored_type> all;
  for (const auto& type : state_->pages.types())
    all.push_back(*type);
  return all;
}

journal_size journal_reader::size() const {
  const auto& pages = state_->pages;
  const auto& seen = pages.snapshot();
  auto used = 2 + seen.main.pages() + seen.free.pages() + pages.records().pages() +
              pages.types_tree().pages();
  return {.file_bytes = pages.file().bytes(),
          .used_bytes = used * seen.page_bytes,
          .record_bytes = pages.records().pages() * seen.page_bytes};
}

result<read_progress, storage_error> journal_reader::read(std::uint64_t from_position,
                                                          read_limits limits,
                                                          record_visitor visit) {
  auto last = last_position();
  read_progress progress{.next = std::max<std::uint64_t>(from_position, 1)};
  std::optional<storage_error> problem;
  auto done = reading(state_->data, [&] {
    auto& record = state_->record;
    std::uint64_t bytes_seen = 0;
    for (bool more = true; more && progress.next <= last;) {
      ++state_->events_read;
      problem = state_->pages.load(progress.next, record);
      if (problem)
        return;
      bytes_seen += record.view.body.size();
      ++progress.next;
      ++progress.events;
      more = visit(record.view) && progress.events < limits.events && bytes_seen < limits.bytes;
    }
  });
  if (!done)
    return done.error();
  if (problem)
    return *problem;
  progress.end = progress.next > last;
  return progress;
}

result<void, storage_error> journal_reader::read_stream(std::string_view stream,
                                                        std::uint64_t from_position,
                                                        record_visitor visit) {
  auto takes = [&](const record_view& view) { return view.stream == stream; };
  return reading(state_->data, [&] {
    auto key = internal::hash_stream(stream, state_->pages.meta().secret);
    std::uint64_t version = 0;
    state_->read_indexed(
        from_position,
        [&] { return state_->index.stream(key, version + 1, state::page_positions); },
        [&](const record_view& view) { return takes(view) && view.stream_version == ++version; },
        takes, visit);
  });
}

result<void, storage_error> journal_reader::read_conversation(correlation_id correlation,
                                                              std::uint64_t from_position,
                                                              record_visitor visit) {
  auto takes = [&](const record_view& view) { return view.correlation == correlation; };
  return reading(state_->data, [&] {
    auto after = std::max<std::uint64_t>(from_position, 1) - 1;
    state_->read_indexed(
        from_position,
        [&] { return state_->index.conversation(correlation, after, state::page_positions); },
        [&](const record_view& view) {
          after = view.position;
          return takes(view);
        },
        takes, visit);
  });
}

result<std::uint64_t, storage_error> journal_reader::position_of(message_id event) {
  return reading(state_->data, [&] {
    return state_->first_of(state_->index.position_of(event),
                            [&](const record_view& view) { return view.id == event; });
  });
}

result<std::uint64_t, storage_error> journal_reader::first_of_append(message_id append) {
  return reading(state_->data, [&] {
    auto found = state_->index.append_of(append);
    // One that begins earlier than the index says is wrong, and would look right.
    if (found && found->first > 1 && found->first <= state_->last() &&
        state_->load(found->first - 1).append == append)
      found.reset();
    return state_->first_of(found ? std::optional{found->first} : std::nullopt,
                            [&](const record_view& view) { return view.append == append; });
  });
}

std::uint64_t journal_reader::events_read() const {
  return state_->events_read;
}

}  // namespace microlith
