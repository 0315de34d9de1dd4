#include <microlith/persistence/internal/byte_order.hpp>
#include <microlith/persistence/internal/hash.hpp>
#include <microlith/persistence/internal/index_digest.hpp>

#include <array>

namespace microlith::internal {

namespace {

template <class Id>
void add(index_digest::sum& to, const Id& id, std::uint64_t first, std::uint64_t second) {
  std::array<std::byte, 32> entry;
  store_id_be(entry.data(), id);
  store_be(entry.data() + 16, first);
  store_be(entry.data() + 24, second);
  ++to.entries;
  to.hash += checksum(entry, 0);
}

}  // namespace

void index_digest::add_stream(const stream_key& stream, std::uint64_t version,
                              std::uint64_t position) {
  add(streams, stream, version, position);
}

void index_digest::add_id(message_id id, std::uint64_t position) {
  add(ids, id, position, 0);
}

void index_digest::add_append(message_id append, std::uint64_t first, std::uint64_t last) {
  add(appends, append, first, last);
}

void index_digest::add_correlation(correlation_id correlation, std::uint64_t position) {
  add(correlations, correlation, position, 0);
}

void index_digest::end_append() {
  if (!append_.empty())
    add_append(append_, append_first_, last_);
  append_ = {};
}

void index_digest::add_event(const record_view& record, const stream_key& stream) {
  if (!stream.empty()) {
    add_stream(stream, record.stream_version, record.position);
    if (record.stream_version == 1)
      filter.add(stream);
  }
  add_id(record.id, record.position);
  add_correlation(record.correlation, record.position);
  if (record.append != append_) {
    end_append();
    append_ = record.append;
    append_first_ = record.position;
  }
  last_ = record.position;
}

}  // namespace microlith::internal
