#include <microlith/persistence/internal/byte_order.hpp>
#include <microlith/persistence/internal/hash.hpp>
#include <microlith/persistence/internal/record_layout.hpp>

#include <boost/describe/class.hpp>

#include <algorithm>
#include <array>
#include <cstring>
#include <map>
#include <string>
#include <vector>

namespace microlith::internal {

namespace {

// Offsets within the fixed part.
constexpr std::size_t checksum_at = 0;
constexpr std::size_t layout_at = 8;
constexpr std::size_t reserved_at = 9;
constexpr std::size_t flags_at = 10;
constexpr std::size_t depth_at = 12;
constexpr std::size_t stream_size_at = 14;
constexpr std::size_t type_at = 16;
constexpr std::size_t key_at = 20;
constexpr std::size_t time_at = 24;
constexpr std::size_t id_at = 32;
constexpr std::size_t correlation_at = 48;
constexpr std::size_t fixed_bytes = 64;
// What may follow it: stream version, causation, append id, root, size of the facts.
constexpr std::size_t max_head_bytes = fixed_bytes + 8 + 3 * id_bytes + 4;

// Ids repeat: a command from outside is the root, the cause and the append id of its events.
namespace flag {
constexpr std::uint16_t has_stream = 0x0001;
constexpr std::uint16_t has_causation = 0x0002;
constexpr std::uint16_t has_append = 0x0004;
constexpr std::uint16_t append_is_causation = 0x0008;
constexpr std::uint16_t has_root = 0x0010;
constexpr std::uint16_t root_is_causation = 0x0020;
constexpr std::uint16_t root_is_itself = 0x0040;
constexpr std::uint16_t has_facts = 0x0080;
constexpr std::uint16_t known = 0x00FF;
}  // namespace flag

struct stored_facts {
  std::string origin;
  std::string subject;
  std::vector<std::string> roles;
  std::map<std::string, std::string> headers;
};
BOOST_DESCRIBE_STRUCT(stored_facts, (), (origin, subject, roles, headers))

}  // namespace

void encode_facts(bytes& out, const conversation_facts& facts) {
  if (facts.origin.empty() && facts.principal == principal{} && facts.headers.empty())
    return;
  encode_to(out, stored_facts{facts.origin, facts.principal.subject, facts.principal.roles,
                              facts.headers});
}

std::uint64_t encode_record(bytes& out, const record_place& place, const envelope& message,
                            std::span<const std::byte> facts) {
  const auto& head = message.head();
  std::array<std::byte, max_head_bytes> start;
  auto* p = start.data();
  std::uint16_t flags = 0;
  std::size_t size = fixed_bytes;
  auto add_id = [&](const auto& id) {
    store_id_le(p + size, id);
    size += id_bytes;
  };
  if (!place.stream.empty()) {
    flags |= flag::has_stream;
    store_le(p + size, place.stream_version);
    size += 8;
  }
  if (!head.causation.empty()) {
    flags |= flag::has_causation;
    add_id(head.causation);
  }
  if (!place.append.empty()) {
    if (place.append == head.causation) {
      flags |= flag::append_is_causation;
    } else {
      flags |= flag::has_append;
      add_id(place.append);
    }
  }
  if (!head.root.empty()) {
    if (head.root == head.id) {
      flags |= flag::root_is_itself;
    } else if (head.root == head.causation) {
      flags |= flag::root_is_causation;
    } else {
      flags |= flag::has_root;
      add_id(head.root);
    }
  }
  if (!facts.empty()) {
    flags |= flag::has_facts;
    store_le(p + size, static_cast<std::uint32_t>(facts.size()));
    size += 4;
  }
  p[layout_at] = std::byte{record_layout_version};
  p[reserved_at] = std::byte{0};
  store_le(p + flags_at, flags);
  store_le(p + depth_at, head.depth);
  store_le(p + stream_size_at, static_cast<std::uint16_t>(place.stream.size()));
  store_le(p + type_at, place.type);
  store_le(p + key_at, std::uint32_t{0});
  store_le(p + time_at, static_cast<std::uint64_t>(head.time.time_since_epoch().count()));
  store_id_le(p + id_at, head.id);
  store_id_le(p + correlation_at, head.correlation);

  auto name = std::as_bytes(std::span{place.stream.data(), place.stream.size()});
  out.resize(size + name.size() + facts.size());
  std::memcpy(out.data(), p, size);
  std::copy(name.begin(), name.end(), out.begin() + static_cast<std::ptrdiff_t>(size));
  std::copy(facts.begin(), facts.end(),
            out.begin() + static_cast<std::ptrdiff_t>(size + name.size()));
  message.type().encode(message.body(), out);
  auto sum = checksum(std::span<const std::byte>{out}.subspan(layout_at), place.position);
  store_le(out.data() + checksum_at, sum);
  return sum;
}

const char* parse_record(std::uint64_t position, std::span<const std::byte> data,
                         parsed_record& out) {
  if (data.size() < fixed_bytes)
    return "it is shorter than a record can be";
  const auto* p = data.data();
  out.checksum = load_le<std::uint64_t>(p + checksum_at);
  if (checksum(data.subspan(layout_at), position) != out.checksum)
    return "its checksum does not fit";
  if (p[layout_at] != std::byte{record_layout_version})
    return "its layout is of a version that this program does not know";
  auto flags = load_le<std::uint16_t>(p + flags_at);
  if ((flags & ~flag::known) != 0)
    return "it has flags that this program does not know";
  std::size_t at = fixed_bytes;
  bool complete = true;
  auto take = [&](std::size_t size) -> const std::byte* {
    if (data.size() - at < size) {
      complete = false;
      return nullptr;
    }
    at += size;
    return p + at - size;
  };
  auto& view = out.view;
  view.position = position;
  view.stored = data;
  view.depth = load_le<std::uint16_t>(p + depth_at);
  view.key = load_le<std::uint32_t>(p + key_at);
  view.time = wall_time{
      std::chrono::microseconds{static_cast<std::int64_t>(load_le<std::uint64_t>(p + time_at))}};
  view.id = load_id_le<message_id>(p + id_at);
  view.correlation = load_id_le<correlation_id>(p + correlation_at);
  view.stream_version = 0;
  view.causation = view.append = view.root = {};
  out.type = load_le<std::uint32_t>(p + type_at);
  std::size_t facts_size = 0;
  if (flags & flag::has_stream) {
    if (const auto* field = take(8))
      view.stream_version = load_le<std::uint64_t>(field);
  }
  auto take_id = [&](std::uint16_t which, message_id& id) {
    if (flags & which) {
      if (const auto* field = take(id_bytes))
        id = load_id_le<message_id>(field);
    }
  };
  take_id(flag::has_causation, view.causation);
  take_id(flag::has_append, view.append);
  take_id(flag::has_root, view.root);
  if (flags & flag::append_is_causation)
    view.append = view.causation;
  if (flags & flag::root_is_causation)
    view.root = view.causation;
  if (flags & flag::root_is_itself)
    view.root = view.id;
  if (flags & flag::has_facts) {
    if (const auto* field = take(4))
      facts_size = load_le<std::uint32_t>(field);
  }
  std::size_t stream_size = load_le<std::uint16_t>(p + stream_size_at);
  if (const auto* name = take(stream_size))
    view.stream = {reinterpret_cast<const char*>(name), stream_size};
  if (const auto* facts = take(facts_size))
    view.facts = {facts, facts_size};
  if (!complete)
    return "it is shorter than its parts";
  view.body = data.subspan(at);
  return nullptr;
}

}  // namespace microlith::internal

namespace microlith {

result<conversation_facts, decode_error> facts_of(const record_view& record) {
  if (record.facts.empty())
    return conversation_facts{};
  auto stored = decode<internal::stored_facts>(record.facts);
  if (!stored)
    return stored.error();
  conversation_facts facts;
  facts.origin = std::move(stored->origin);
  facts.principal = {std::move(stored->subject), std::move(stored->roles)};
  facts.headers = std::move(stored->headers);
  return facts;
}

result<envelope, decode_error> to_envelope(const record_view& record, const type_catalog& catalog) {
  const auto* type = catalog.find(record.type->name);
  if (type == nullptr)
    return decode_error{record.type->name, "", 0,
                        "no message type of this name is in the catalog: add it"};
  if (record.key != 0)
    return decode_error{record.type->name, "", 0, "it is encrypted, and this program has no keys"};
  envelope_head head;
  head.id = record.id;
  head.correlation = record.correlation;
  head.causation = record.causation;
  head.root = record.root;
  head.time = record.time;
  head.depth = record.depth;
  if (!record.facts.empty()) {
    auto facts = facts_of(record);
    if (!facts)
      return facts.error();
    head.facts = std::make_shared<const conversation_facts>(std::move(*facts));
  }
  auto event = envelope::decode(std::move(head), *type, record.type->version, record.body);
  if (event) {
    event->position = record.position;
    event->stream_version = record.stream_version;
  }
  return event;
}

}  // namespace microlith
