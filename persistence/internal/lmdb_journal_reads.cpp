#include <microlith/persistence/internal/hash.hpp>
#include <microlith/persistence/internal/lmdb_journal.hpp>

#include <algorithm>
#include <limits>

namespace microlith::internal {

result<read_progress, storage_error> lmdb_journal::read(std::uint64_t from_position,
                                                        read_limits limits,
                                                        record_visitor visit) const {
  read_progress progress{.next = std::max<std::uint64_t>(from_position, 1)};
  auto last = file_->last_position();
  if (progress.next > last)
    return progress;
  try {
    journal_file::reading records{*file_};
    parsed_record record;
    std::uint64_t bytes_seen = 0;
    bool more = true;
    while (more && progress.next <= last) {
      if (auto problem = records.load(progress.next, record))
        return *problem;
      bytes_seen += record.view.body.size();
      ++progress.next;
      ++progress.events;
      more = visit(record.view) && progress.events < limits.events && bytes_seen < limits.bytes;
    }
  } catch (const lmdb_error& error) {
    return storage_error{
        storage_error_kind::io,
        "cannot read the journal in " + file_->directory().string() + ": " + error.what()};
  }
  progress.end = progress.next > last;
  return progress;
}

template <class F>
auto lmdb_journal::looking_up(F f) const -> result<decltype(f()), storage_error> {
  auto index_error = [&](const std::string& why, bool is_marked) {
    return storage_error{
        storage_error_kind::damaged,
        "the index beside the journal in " + file_->directory().string() +
            " cannot be read: " + why +
            (is_marked ? ". Stop the node and start it again: the index is then built again"
                       : ". Stop the node and delete the folder `index`: it is then built again")};
  };
  try {
    return f();
  } catch (const lmdb_error& error) {
    return index_error(error.what(), error.damaged());
  } catch (const index_unusable& error) {
    return index_error(error.what(), false);
  }
}

result<read_progress, storage_error> lmdb_journal::read_stream(std::string_view stream,
                                                               std::uint64_t from_version,
                                                               read_limits limits,
                                                               record_visitor visit) const {
  read_progress progress{.next = std::max<std::uint64_t>(from_version, 1)};
  auto key = hash_stream(stream, file_->secret());
  auto wanted = std::max<std::uint64_t>(limits.events, 1);
  auto positions = looking_up([&] {
    // One more than wanted tells whether there is more.
    return index_->positions_of(
        key, progress.next,
        static_cast<std::size_t>(std::min<std::uint64_t>(wanted, SIZE_MAX - 1)) + 1);
  });
  if (!positions)
    return positions.error();
  if (positions->empty())
    return progress;
  try {
    journal_file::reading records{*file_};
    parsed_record record;
    std::uint64_t bytes_seen = 0;
    bool more = true;
    for (std::size_t i = 0; more && i < positions->size(); ++i) {
      if (auto problem = records.load((*positions)[i], record))
        return *problem;
      if (record.view.stream != stream || record.view.stream_version != progress.next)
        return storage_error{storage_error_kind::damaged,
                             "the index beside the journal in " + file_->directory().string() +
                                 " says that event " + std::to_string((*positions)[i]) +
                                 " is version " + std::to_string(progress.next) + " of stream " +
                                 std::string{stream} +
                                 ", and it is not. Stop the node and delete the folder `index`: it "
                                 "is then built again",
                             (*positions)[i]};
      bytes_seen += record.view.body.size();
      ++progress.next;
      ++progress.events;
      more = visit(record.view) && progress.events < wanted && bytes_seen < limits.bytes;
    }
  } catch (const lmdb_error& error) {
    return storage_error{
        storage_error_kind::io,
        "cannot read the journal in " + file_->directory().string() + ": " + error.what()};
  }
  progress.end = progress.events == positions->size();
  return progress;
}

result<std::uint64_t, storage_error> lmdb_journal::stream_version(std::string_view stream) const {
  return looking_up([&] { return index_->version_of(hash_stream(stream, file_->secret())); });
}

result<std::optional<append_positions>, storage_error> lmdb_journal::append_of(
    message_id command) const {
  return looking_up([&] { return index_->append_of(command); });
}

result<std::optional<std::uint64_t>, storage_error> lmdb_journal::position_of(
    message_id event) const {
  return looking_up([&] { return index_->position_of(event); });
}

result<std::vector<std::uint64_t>, storage_error> lmdb_journal::conversation(
    correlation_id correlation, std::uint64_t after, std::size_t limit) const {
  return looking_up([&] { return index_->conversation(correlation, after, limit); });
}

}  // namespace microlith::internal
