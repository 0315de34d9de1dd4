#include <microlith/actors/internal/link/handshake.hpp>

#include <algorithm>
#include <utility>

namespace microlith::internal {

namespace {

constexpr std::uint32_t magic = 0x4B4E'4C4D;  // "MLNK"

std::string reason_text(std::uint8_t reason, std::uint32_t peer_version) {
  switch (static_cast<refusal_reason>(reason)) {
    case refusal_reason::version:
      return "it speaks version " + std::to_string(peer_version) +
             " of the link protocol and this node version " +
             std::to_string(link_protocol_version) + ": run versions that fit on both";
    case refusal_reason::name:
      return "its cluster file does not have this node under this name, or its address belongs to "
             "another node: give all nodes the same cluster file";
    case refusal_reason::proof:
      return "it has another secret: give all nodes the same secret file";
    case refusal_reason::certificate:
      return "the certificate of this node does not name it: its subject alternative name must be "
             "the name in the cluster file";
    case refusal_reason::full:
      return "as many callers as it takes at once are there: try again when one of them has gone";
  }
  return "it refused for a reason that this version does not know";
}

}  // namespace

void write_hello(link_bytes& out, const link_hello& hello) {
  frame_writer to{out, frame_kind::hello};
  to.put_u32(magic);
  to.put_u32(hello.version);
  to.put_id(hello.incarnation);
  to.put_id(hello.session);
  to.put_u64(hello.received);
  to.put_bytes(hello.nonce);
  to.put_text(hello.name);
  to.put_text(hello.to);
}

std::optional<link_hello> read_hello(const frame& from) {
  field_reader fields{from.payload};
  link_hello hello;
  if (from.kind != frame_kind::hello || fields.u32() != magic)
    return std::nullopt;
  hello.version = fields.u32();
  if (!fields.ok())
    return std::nullopt;
  if (hello.version != link_protocol_version)
    return hello;
  hello.incarnation = fields.id();
  hello.session = fields.id();
  hello.received = fields.u64();
  auto nonce = fields.bytes(nonce_bytes);
  std::copy(nonce.begin(), nonce.end(), hello.nonce.begin());
  hello.name = fields.text();
  hello.to = fields.text();
  if (!fields.ok() || fields.left() > 0 || hello.name.size() > max_node_name_bytes ||
      hello.to.size() > max_node_name_bytes)
    return std::nullopt;
  return hello;
}

link_handshake::link_handshake(bool dials, link_hello own, const secret<std::string>& key)
    : dials_{dials}, own_{std::move(own)}, key_{key} {
  fill_with_random(own_.nonce);
}

void link_handshake::begin(link_bytes& out) const {
  write_hello(out, own_);
}

link_handshake::step link_handshake::fail(std::string why) {
  awaited_ = awaited::nothing;
  why_ = std::move(why);
  return step::failed;
}

link_handshake::step link_handshake::take(const frame& from, link_bytes& out) {
  if (from.kind == frame_kind::refusal && dials_) {
    field_reader fields{from.payload};
    auto version = fields.u32();
    return fail(reason_text(fields.u8(), version));
  }
  switch (awaited_) {
    case awaited::hello:
      return take_hello(from, out);
    case awaited::proof:
      return take_proof(from, out);
    case awaited::welcome:
      return take_welcome(from);
    case awaited::verdict:
    case awaited::nothing:
      break;
  }
  return fail("it did not keep to the protocol");
}

link_handshake::step link_handshake::take_hello(const frame& from, link_bytes& out) {
  auto hello = read_hello(from);
  if (!hello)
    return fail("it does not speak the link protocol: is its address that of another program?");
  if (hello->version != link_protocol_version) {
    auto why = reason_text(static_cast<std::uint8_t>(refusal_reason::version), hello->version);
    refuse(out, refusal_reason::version, why);
    return step::failed;
  }
  peer_ = *std::move(hello);
  // A hello that comes back to its sender is not an answer.
  if (peer_.nonce == own_.nonce)
    return fail("it sent our own words back");
  awaited_ = awaited::verdict;
  return step::claimed;
}

void link_handshake::accept(link_bytes& out) {
  awaited_ = awaited::proof;
  if (dials_)
    return;
  own_.to = peer_.name;
  write_hello(out, own_);
  frame_writer{out, frame_kind::proof}.put_bytes(proof_of(false));
}

void link_handshake::refuse(link_bytes& out, refusal_reason reason, std::string why) {
  frame_writer to{out, frame_kind::refusal};
  to.put_u32(link_protocol_version);
  to.put_u8(static_cast<std::uint8_t>(reason));
  awaited_ = awaited::nothing;
  why_ = std::move(why);
}

link_proof link_handshake::proof_of(bool dialling) const {
  link_bytes mine;
  link_bytes theirs;
  write_hello(mine, own_);
  write_hello(theirs, peer_);
  return prove(key_, dialling ? "dialling" : "listening",
               {dials_ ? mine : theirs, dials_ ? theirs : mine});
}

link_handshake::step link_handshake::take_proof(const frame& from, link_bytes& out) {
  if (from.kind != frame_kind::proof || !same_proof(from.payload, proof_of(!dials_))) {
    auto why = reason_text(static_cast<std::uint8_t>(refusal_reason::proof), 0);
    refuse(out, refusal_reason::proof, why);
    return step::failed;
  }
  if (!dials_) {
    awaited_ = awaited::nothing;
    return step::proven;
  }
  frame_writer{out, frame_kind::proof}.put_bytes(proof_of(true));
  awaited_ = awaited::welcome;
  return step::more;
}

void link_handshake::welcome(link_bytes& out, const link_welcome& with) const {
  frame_writer to{out, frame_kind::welcome};
  to.put_id(with.session);
  to.put_u64(with.received);
  to.put_u64(with.credit);
}

link_handshake::step link_handshake::take_welcome(const frame& from) {
  field_reader fields{from.payload};
  welcome_.session = fields.id();
  welcome_.received = fields.u64();
  welcome_.credit = fields.u64();
  if (from.kind != frame_kind::welcome || !fields.ok() || fields.left() > 0 ||
      welcome_.session.empty())
    return fail("it did not keep to the protocol");
  awaited_ = awaited::nothing;
  return step::welcomed;
}

}  // namespace microlith::internal
