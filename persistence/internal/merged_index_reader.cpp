#include <microlith/persistence/internal/index_layout.hpp>
#include <microlith/persistence/internal/merged_index.hpp>

#include <cstring>
#include <limits>

namespace microlith::internal {

merged_index::reader::reader(const merged_index& index)
    : index_{&index}, transaction_{index.environment_, lmdb_transaction::access::read} {
  load_runs();
}

void merged_index::reader::renew() {
  transaction_.renew();
  load_runs();
}

void merged_index::reader::load_runs() {
  auto stored = transaction_.find(index_->state_table_, index_state_key);
  if (!stored)
    throw index_unusable{"the index has no state"};
  runs_ = decode_state(*stored).runs;
  index_->run_filters_.find(runs_, filters_);
}

std::optional<stream_head> merged_index::reader::head_of(const stream_key& stream) {
  auto end = key_of(stream, std::numeric_limits<std::uint64_t>::max());
  for (auto i = runs_.size(); i-- > 0;) {
    if (!may_hold(i, stream))
      continue;
    lmdb_cursor cursor{transaction_, index_->table_of(runs_[i])};
    bool found = cursor.seek(end) ? cursor.move(MDB_PREV) : cursor.move(MDB_LAST);
    if (found && same_stream(cursor.key(), end) && cursor.value().size() == 8)
      return stream_head{load_be<std::uint64_t>(cursor.key().data() + id_bytes),
                         load_le<std::uint64_t>(cursor.value().data())};
  }
  return std::nullopt;
}

void merged_index::reader::positions_of(const stream_key& stream, std::uint64_t from,
                                        std::uint64_t to, std::size_t limit,
                                        std::vector<std::uint64_t>& out) {
  // The runs hold a stream's versions in order of age.
  for (std::size_t i = 0; i < runs_.size(); ++i) {
    if (out.size() >= limit || from >= to)
      return;
    if (!may_hold(i, stream))
      continue;
    auto start = key_of(stream, from);
    lmdb_cursor cursor{transaction_, index_->table_of(runs_[i])};
    for (bool more = cursor.seek(start); more && out.size() < limit; more = cursor.move(MDB_NEXT)) {
      if (!same_stream(cursor.key(), start) || cursor.value().size() != 8)
        break;
      auto version = load_be<std::uint64_t>(cursor.key().data() + id_bytes);
      if (version >= to)
        return;
      out.push_back(load_le<std::uint64_t>(cursor.value().data()));
      from = version + 1;
    }
  }
}

std::optional<std::uint64_t> merged_index::reader::position_of(message_id event) {
  auto value = transaction_.find(index_->ids_table_, id_key(event));
  if (!value || value->size() != 8)
    return std::nullopt;
  return load_le<std::uint64_t>(value->data());
}

std::optional<append_positions> merged_index::reader::append_of(message_id append) {
  auto value = transaction_.find(index_->appends_table_, id_key(append));
  if (!value || value->size() != 16)
    return std::nullopt;
  return append_positions{load_le<std::uint64_t>(value->data()),
                          load_le<std::uint64_t>(value->data() + 8)};
}

void merged_index::reader::conversation(correlation_id correlation, std::uint64_t after,
                                        std::size_t limit, std::vector<std::uint64_t>& out) {
  std::array<std::byte, correlation_key_bytes> start;
  store_id_be(start.data(), correlation);
  store_be(start.data() + id_bytes, after + 1);
  lmdb_cursor cursor{transaction_, index_->correlations_table_};
  for (bool more = cursor.seek(start); more && out.size() < limit; more = cursor.move(MDB_NEXT)) {
    auto key = cursor.key();
    if (key.size() != correlation_key_bytes || std::memcmp(key.data(), start.data(), id_bytes) != 0)
      break;
    out.push_back(load_be<std::uint64_t>(key.data() + id_bytes));
  }
}

}  // namespace microlith::internal
