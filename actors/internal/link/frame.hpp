#pragma once

// Frames: what a byte stream between two nodes is cut into (README.md of actors/ draws them).
//
//   u32 length of what follows | u8 kind | payload
//
// Numbers are little-endian. A length beyond the limit is refused when its four bytes are there:
// nothing is kept for it. For one thread.

#include <microlith/actors/internal/link/limits.hpp>
#include <microlith/messages/identity.hpp>

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace microlith::internal {

enum class frame_kind : std::uint8_t {
  hello = 1,    ///< who I am, whom I want, what I remember of you
  proof = 2,    ///< that I know the secret
  welcome = 3,  ///< where we go on
  refusal = 4,  ///< why not; the connection is closed
  data = 5,     ///< acknowledgement and records
  ack = 6,      ///< acknowledgement alone
  ping = 7,
  pong = 8,
  goodbye = 9,  ///< the process ends, nothing more will come
};

inline constexpr std::size_t frame_length_bytes = 4;
inline constexpr std::size_t frame_header_bytes = frame_length_bytes + 1;

using link_bytes = std::vector<std::byte>;

struct frame {
  frame_kind kind = frame_kind::ack;
  std::span<const std::byte> payload;
};

/// Cuts a stream of bytes into frames.
class frame_reader {
 public:
  explicit frame_reader(std::size_t max_bytes) : max_bytes_{max_bytes} {}

  /// From the next frame on.
  void set_limit(std::size_t max_bytes) { max_bytes_ = max_bytes; }

  /// The bytes stay where they are and must live until `next` has said that there are no more.
  void feed(std::span<const std::byte> bytes);
  /// The next whole frame, valid until the next call of anything; nothing if more bytes are needed
  /// or the stream is broken.
  [[nodiscard]] std::optional<frame> next();

  /// Why the stream cannot be read on; empty while it can.
  [[nodiscard]] const std::string& broken() const { return broken_; }
  /// Held for a frame that is not whole yet.
  [[nodiscard]] std::size_t kept_bytes() const { return rest_.size(); }

 private:
  [[nodiscard]] bool check(const std::byte* header);
  void move_to_rest(std::size_t size);

  std::size_t max_bytes_;
  std::span<const std::byte> input_;
  link_bytes rest_;
  bool rest_is_taken_ = false;
  std::string broken_;
};

/// Appends a frame to a buffer: header first, its length when it is finished.
class frame_writer {
 public:
  frame_writer(link_bytes& to, frame_kind kind);
  frame_writer(const frame_writer&) = delete;
  frame_writer& operator=(const frame_writer&) = delete;
  ~frame_writer();

  void put_u8(std::uint8_t value) { to_.push_back(static_cast<std::byte>(value)); }
  void put_u32(std::uint32_t value) { put_number(value); }
  void put_u64(std::uint64_t value) { put_number(value); }
  void put_id(const message_id& id);
  void put_bytes(std::span<const std::byte> bytes);
  /// At most 255 bytes.
  void put_text(std::string_view text);
  [[nodiscard]] std::size_t size_bytes() const { return to_.size() - begin_; }

 private:
  template <class T>
  void put_number(T value) {
    for (std::size_t i = 0; i < sizeof value; ++i)
      to_.push_back(static_cast<std::byte>(value >> (8 * i)));
  }

  link_bytes& to_;
  std::size_t begin_;
};

/// Reads the fields of a payload. Past the end everything is zero and `ok` is false.
class field_reader {
 public:
  explicit field_reader(std::span<const std::byte> payload) : left_{payload} {}

  [[nodiscard]] std::uint8_t u8() { return number<std::uint8_t>(); }
  [[nodiscard]] std::uint32_t u32() { return number<std::uint32_t>(); }
  [[nodiscard]] std::uint64_t u64() { return number<std::uint64_t>(); }
  [[nodiscard]] message_id id();
  [[nodiscard]] std::span<const std::byte> bytes(std::size_t size);
  [[nodiscard]] std::string text();
  [[nodiscard]] bool ok() const { return ok_; }
  [[nodiscard]] std::size_t left() const { return left_.size(); }

 private:
  template <class T>
  [[nodiscard]] T number() {
    auto from = bytes(sizeof(T));
    T value = 0;
    for (std::size_t i = 0; i < from.size(); ++i)
      value = static_cast<T>(value | static_cast<T>(static_cast<T>(from[i]) << (8 * i)));
    return value;
  }

  std::span<const std::byte> left_;
  bool ok_ = true;
};

}  // namespace microlith::internal
