#pragma once

// TLS over bytes in memory: what arrived goes in, what is to be sent comes out; no socket in sight.
//
// Both ends show a certificate of the authority, TLS 1.2 at least. Whose certificate it is must be
// asked for: `names`. A context may be used by any thread, a channel by one.

#include <microlith/actors/internal/link/frame.hpp>
#include <microlith/actors/internal/link/link_options.hpp>
#include <microlith/messages/result.hpp>
#include <microlith/persistence/error.hpp>

#include <memory>
#include <span>
#include <string>
#include <string_view>

namespace microlith::internal {

class tls_context {
 public:
  [[nodiscard]] static result<std::shared_ptr<const tls_context>, storage_error> load(
      const link_tls& files);
  ~tls_context();

 private:
  friend class tls_channel;
  tls_context() = default;
  void* context_ = nullptr;
};

class tls_channel {
 public:
  tls_channel(std::shared_ptr<const tls_context> context, bool dials);
  tls_channel(const tls_channel&) = delete;
  tls_channel& operator=(const tls_channel&) = delete;
  ~tls_channel();

  /// Dialling: makes the first bytes to send.
  void begin() { (void)shake(); }
  /// Bytes of the connection; appends what they say. Not empty: why the channel is broken. Either
  /// way there may be something to send.
  [[nodiscard]] std::string take(std::span<const std::byte> cipher, link_bytes& plain);
  /// Established only. Not empty: why the channel is broken.
  [[nodiscard]] std::string put(std::span<const std::byte> plain);
  /// Appends what is to be sent.
  void take_output(link_bytes& cipher);

  [[nodiscard]] bool established() const { return established_; }
  /// Whether the peer's certificate is that of this node.
  [[nodiscard]] bool names(std::string_view node) const;

 private:
  [[nodiscard]] std::string shake();
  [[nodiscard]] std::string problem(const char* doing, int result) const;

  std::shared_ptr<const tls_context> context_;
  void* tls_ = nullptr;
  void* input_ = nullptr;
  void* output_ = nullptr;
  bool established_ = false;
};

}  // namespace microlith::internal
