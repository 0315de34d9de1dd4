// Envelopes to what a link carries and back: numbers of types, facts, deadlines, and the types that
// this node knows otherwise or not at all.

#include <microlith/actors/internal/actors_part.hpp>
#include <microlith/actors/internal/cluster/cluster.hpp>

#include <algorithm>
#include <cstdio>

namespace microlith::internal {

namespace {

std::string fingerprint_text(std::uint64_t fingerprint) {
  char text[17];
  std::snprintf(text, sizeof text, "%016llx", static_cast<unsigned long long>(fingerprint));
  return text;
}

// Any bytes as the body of a type that only its schema is known of.
void encode_raw(const void* body, bytes& out) {
  const auto& all = *static_cast<const bytes*>(body);
  out.insert(out.end(), all.begin(), all.end());
}

result<std::shared_ptr<const void>, decode_error> decode_raw(std::uint16_t,
                                                             std::span<const std::byte> in) {
  return std::shared_ptr<const void>{std::make_shared<const bytes>(in.begin(), in.end())};
}

void visit_raw(const void* body, value_visitor& visitor) {
  visitor.byte_string(*static_cast<const bytes*>(body));
}

}  // namespace

/// A message type of another node, that this one passes on without looking into it.
struct cluster::raw_message_type {
  std::shared_ptr<const schema> written;
  message_type type;
};

wire::failure failure_to_wire(const failure& why) {
  return {.kind = static_cast<std::uint8_t>(why.kind),
          .certainty = static_cast<std::uint8_t>(why.certainty),
          .text = why.text,
          .message = why.message};
}

failure failure_from_wire(wire::failure&& said) {
  auto kind = said.kind <= static_cast<std::uint8_t>(failure_kind::forgotten)
                  ? static_cast<failure_kind>(said.kind)
                  : failure_kind::handler_failed;
  return {.kind = kind,
          .certainty = said.certainty == static_cast<std::uint8_t>(certainty::not_done)
                           ? certainty::not_done
                           : certainty::unknown,
          .text = std::move(said.text),
          .message = said.message};
}

std::uint32_t cluster::number_of(const message_type& type) {
  {
    std::shared_lock lock{types_mutex_};
    if (auto at = numbers_.find(&type); at != numbers_.end())
      return at->second;
  }
  std::unique_lock lock{types_mutex_};
  auto number = static_cast<std::uint32_t>(numbered_.size());
  auto [at, is_new] = numbers_.emplace(&type, number);
  if (!is_new)
    return at->second;
  numbered_.push_back(&type);
  // Announced before anybody can send a message that uses the number.
  for (const auto& [name, each] : peers_) {
    if (each->joined.load())
      send_types(*each, number);
  }
  return number;
}

wire::facts cluster::facts_to_wire(const envelope_head& head) const {
  const auto& facts = facts_of(head);
  wire::facts out{.origin = facts.origin,
                  .subject = facts.principal.subject,
                  .roles = facts.principal.roles,
                  .headers = facts.headers,
                  .came_by = {}};
  for (const auto* at = facts.came_by.get(); at != nullptr; at = at->before.get()) {
    if (std::find(out.came_by.begin(), out.came_by.end(), at->node) == out.came_by.end())
      out.came_by.push_back(at->node);
  }
  return out;
}

void cluster::head_to_wire(wire::envelope& out, const envelope& message) const {
  const auto& head = message.head();
  out.id = head.id;
  out.correlation = head.correlation;
  out.causation = head.causation;
  out.root = head.root;
  out.time = head.time;
  out.remaining_us = -1;
  if (head.deadline != steady_time::max()) {
    using std::chrono::microseconds;
    auto left = head.deadline - runtime_.actors().now();
    out.remaining_us = std::max(microseconds{0}, std::chrono::floor<microseconds>(left)).count();
  }
  out.after = head.after;
  out.depth = head.depth;
  out.position = message.position;
  out.stream_version = message.stream_version;
}

wire::envelope cluster::to_wire(const envelope& message, bool with_facts) {
  wire::envelope out;
  head_to_wire(out, message);
  if (with_facts)
    out.facts = facts_to_wire(message.head());
  out.type = number_of(message.type());
  // The envelope would keep what it has encoded, a secret too, for as long as it lives.
  message.type().encode(message.body(), out.body);
  return out;
}

result<bytes, failure> cluster::frame_of(const envelope& message, std::uint8_t use,
                                         std::uint64_t ticket) {
  bytes frame;
  try {
    wire::message said;
    said.use = use;
    said.ticket = ticket;
    head_to_wire(said.envelope, message);
    said.envelope.facts = facts_to_wire(message.head());
    said.envelope.type = number_of(message.type());
    frame.push_back(static_cast<std::byte>(wire::kind::message));
    wire::append_message(frame, said, message);
  } catch (...) {
    return not_encoded(message);
  }
  return frame;
}

failure cluster::not_encoded(const envelope& message) {
  return refused(
      failure_kind::handler_failed, message,
      std::string{message.type().name} +
          " cannot be sent to another node, encoding it failed: " + current_exception_text());
}

void wire::append_message(bytes& out, const message& said, const microlith::envelope& of) {
  encode_to(out, said);
  auto begin = out.size();
  of.type().encode(of.body(), out);
  // Where the body was, there is its length: none so far.
  auto length = static_cast<length_prefix>(out.size() - begin);
  for (std::size_t i = 0; i < sizeof length; ++i)
    out[begin - sizeof length + i] = static_cast<std::byte>(length >> (8 * i));
}

std::shared_ptr<const conversation_facts> cluster::facts_from_wire(const peer& from,
                                                                   wire::facts&& said,
                                                                   message_id message,
                                                                   std::uint64_t ticket) {
  std::shared_ptr<const hop> before;
  auto count = std::min(said.came_by.size(), wire::max_hops);
  for (std::size_t i = count; i-- > 0;) {
    auto& node = said.came_by[i];
    if (node != setup_.node && node != from.name)
      before = std::make_shared<const hop>(
          hop{.node = std::move(node), .message = {}, .ticket = 0, .before = std::move(before)});
  }
  conversation_facts facts;
  facts.origin = std::move(said.origin);
  facts.principal = {std::move(said.subject), std::move(said.roles)};
  facts.headers = std::move(said.headers);
  facts.came_by = std::make_shared<const hop>(
      hop{.node = from.name, .message = message, .ticket = ticket, .before = std::move(before)});
  return std::make_shared<const conversation_facts>(std::move(facts));
}

// What this node makes of a type as a peer writes it.
void cluster::resolve(incoming_type& type, const std::string& peer) {
  const auto& written = *type.written;
  type.own = runtime_.actors().catalog.get()->find(written.name);
  if (type.own == nullptr)
    return;
  const auto& own = *type.own;
  std::string what;
  if (own.kind != type.kind) {
    what = "it is a " + std::string{to_string(type.kind)} + " there and a " +
           std::string{to_string(own.kind)} + " here";
  } else if (written.version > own.version) {
    what = "it has version " + std::to_string(written.version) +
           " there, this node knows it up to " + std::to_string(own.version);
  } else if (written.version < own.oldest) {
    what = "it has version " + std::to_string(written.version) +
           " there, and no upcaster leads here from before version " + std::to_string(own.oldest);
  } else {
    const auto* here = own.schema_of_version ? own.schema_of_version(written.version) : own.schema;
    if (here != nullptr && here->fingerprint == fingerprint_of(written.fields)) {
      type.same = written.version == own.version;
      return;
    }
    auto changes = here == nullptr ? std::string{} : difference(written, *here);
    what = "its layout in version " + std::to_string(written.version) + " differs (there " +
           fingerprint_text(fingerprint_of(written.fields)) +
           (changes.empty() ? "" : "; from there to here: " + changes) + ")";
  }
  type.problem = written.name + " as node " + peer + " writes it cannot be read by node " +
                 setup_.node + ": " + what +
                 "; give the new layout a new version with an upcaster, and upgrade the nodes that "
                 "read it first";
}

incoming_type& cluster::type_from(peer& from, std::uint32_t number) {
  static incoming_type none;
  if (number >= from.types.size())
    return none = {};
  auto& type = from.types[number];
  // The program may have learned it since.
  if (type.written && type.own == nullptr)
    resolve(type, from.name);
  return type;
}

const message_type& cluster::raw_type(incoming_type& type) {
  if (type.raw != nullptr)
    return *type.raw;
  std::lock_guard lock{raw_types_mutex_};
  for (const auto& known : raw_types_) {
    if (known->type.kind == type.kind && *known->written == *type.written) {
      type.raw = &known->type;
      return *type.raw;
    }
  }
  auto added = std::make_shared<raw_message_type>();
  added->written = type.written;
  added->type = {.name = added->written->name,
                 .kind = type.kind,
                 .version = added->written->version,
                 .oldest = added->written->version,
                 .holds_secret = type.holds_secret,
                 .schema = added->written.get(),
                 .encode = &encode_raw,
                 .decode = &decode_raw,
                 .stream = nullptr,
                 .visit = &visit_raw,
                 .schema_of_version = nullptr};
  type.raw = &added->type;
  raw_types_.push_back(std::move(added));
  return *type.raw;
}

bool cluster::is_foreign(const envelope& message) {
  return message.type().encode == &encode_raw;
}

envelope cluster::own_form(const envelope& message) const {
  const auto& type = message.type();
  const auto* own = runtime_.actors().catalog.get()->find(type.name);
  if (own == nullptr || own->kind != type.kind)
    return {};
  const auto* here = own->schema_of_version ? own->schema_of_version(type.version) : own->schema;
  if (here == nullptr || here->fingerprint != type.schema->fingerprint)
    return {};
  auto made = envelope::decode(message.head(), *own, type.version, message.encoded());
  if (!made)
    return {};
  made->position = message.position;
  made->stream_version = message.stream_version;
  return std::move(*made);
}

result<envelope, std::string> cluster::from_wire(peer& from, wire::envelope& said,
                                                 std::shared_ptr<const conversation_facts> facts,
                                                 bool raw) {
  auto& type = type_from(from, said.type);
  if (!type.written)
    return "node " + from.name + " sent a message of a type that it never announced";
  bool as_bytes = raw && !type.same;
  if (!as_bytes && !type.problem.empty())
    return type.problem;
  if (!as_bytes && type.own == nullptr)
    return type.written->name + " is not known by node " + setup_.node +
           "; run a program there that has it";
  envelope_head head{.id = said.id,
                     .correlation = said.correlation,
                     .causation = said.causation,
                     .root = said.root,
                     .time = said.time,
                     .after = said.after,
                     .depth = said.depth,
                     .facts = std::move(facts)};
  if (said.remaining_us >= 0) {
    auto now = runtime_.actors().now();
    auto most = std::chrono::floor<std::chrono::microseconds>(steady_time::max() - now);
    head.deadline = now + std::min(most, std::chrono::microseconds{said.remaining_us});
  }
  const auto& as = as_bytes ? raw_type(type) : *type.own;
  auto made = envelope::decode(std::move(head), as, type.written->version, said.body);
  if (type.holds_secret)
    wipe(said.body.data(), said.body.size());
  if (!made)
    return to_string(made.error());
  made->position = said.position;
  made->stream_version = said.stream_version;
  return std::move(*made);
}

}  // namespace microlith::internal
