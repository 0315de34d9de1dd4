#pragma once

// How two ends of a new connection get to know each other. No IO and no clock.
//
//   dialling                          listening
//     hello  ──────────────────────────>          is it for me, and do I know the name?
//            <──────────────────────────  hello, proof
//     proof  ──────────────────────────>          does it know the secret?
//            <──────────────────────────  welcome: the session, and how far I have it
//
// Each proof is an HMAC over both hellos, whose random nonces make it good for this connection
// alone. Whoever fails is told a reason once it has spoken the protocol, and nothing else. For one
// thread.

#include <microlith/actors/internal/link/frame.hpp>
#include <microlith/actors/internal/link/proof.hpp>

#include <cstdint>
#include <optional>
#include <string>

namespace microlith::internal {

struct link_hello {
  std::uint32_t version = link_protocol_version;
  message_id incarnation;
  message_id session;          ///< that it remembers with the other one; empty: none
  std::uint64_t received = 0;  ///< records of that session
  link_nonce nonce{};
  std::string name;
  std::string to;  ///< whom it wants
};

void write_hello(link_bytes& out, const link_hello& hello);
/// The version alone, where it is not ours; nothing for what is no hello.
[[nodiscard]] std::optional<link_hello> read_hello(const frame& from);

struct link_welcome {
  message_id session;
  std::uint64_t received = 0;
  std::uint64_t credit = 0;
};

enum class refusal_reason : std::uint8_t {
  version = 1,
  name = 2,         ///< not a node that may dial this one, or this one is another node
  proof = 3,        ///< another secret
  certificate = 4,  ///< of another node
  full = 5,         ///< as many callers as may be there at once
};

class link_handshake {
 public:
  enum class step {
    more,      ///< wait for the next frame
    claimed,   ///< the peer says who it is: check its name, then `accept` or `refuse`
    proven,    ///< listening: the peer is who it says: `welcome` it
    welcomed,  ///< dialling: done
    failed,    ///< `why` says why; what is in `out` may still be sent, then close
  };

  /// `own.nonce` is filled here.
  link_handshake(bool dials, link_hello own, const secret<std::string>& key);

  /// Dialling: the first frame.
  void begin(link_bytes& out) const;
  [[nodiscard]] step take(const frame& from, link_bytes& out);
  /// After `claimed`.
  void accept(link_bytes& out);
  /// The same, or after `proven`.
  void refuse(link_bytes& out, refusal_reason reason, std::string why);
  /// After `proven`.
  void welcome(link_bytes& out, const link_welcome& with) const;

  /// After `claimed`.
  [[nodiscard]] const link_hello& peer() const { return peer_; }
  [[nodiscard]] const link_hello& own() const { return own_; }
  /// After `welcomed`.
  [[nodiscard]] const link_welcome& welcome() const { return welcome_; }
  [[nodiscard]] const std::string& why() const { return why_; }

 private:
  enum class awaited { hello, verdict, proof, welcome, nothing };

  [[nodiscard]] step fail(std::string why);
  [[nodiscard]] step take_hello(const frame& from, link_bytes& out);
  [[nodiscard]] step take_proof(const frame& from, link_bytes& out);
  [[nodiscard]] step take_welcome(const frame& from);
  [[nodiscard]] link_proof proof_of(bool dialling) const;

  const bool dials_;
  link_hello own_;
  const secret<std::string>& key_;
  awaited awaited_ = awaited::hello;
  link_hello peer_;
  link_welcome welcome_;
  std::string why_;
};

}  // namespace microlith::internal
