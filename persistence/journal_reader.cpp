#include <microlith/persistence/internal/journal_pages.hpp>
#include <microlith/persistence/journal_reader.hpp>

#include <algorithm>
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
      : data{directory}, pages{directory / "journal"} {}

  std::filesystem::path data;
  internal::journal_pages pages;
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
  return reading(state_->data, [&] { state_->pages.refresh(); });
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
    internal::parsed_record record;
    std::uint64_t bytes_seen = 0;
    for (bool more = true; more && progress.next <= last;) {
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

}  // namespace microlith
