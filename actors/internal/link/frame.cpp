#include <microlith/actors/internal/link/frame.hpp>

#include <algorithm>
#include <cassert>

namespace microlith::internal {

namespace {

std::uint32_t length_in(const std::byte* header) {
  std::uint32_t length = 0;
  for (std::size_t i = 0; i < frame_length_bytes; ++i)
    length |= static_cast<std::uint32_t>(header[i]) << (8 * i);
  return length;
}

frame whole(std::span<const std::byte> bytes) {
  return {static_cast<frame_kind>(bytes[frame_length_bytes]), bytes.subspan(frame_header_bytes)};
}

}  // namespace

void frame_reader::feed(std::span<const std::byte> bytes) {
  assert(input_.empty() || !broken_.empty());
  input_ = bytes;
}

bool frame_reader::check(const std::byte* header) {
  auto length = length_in(header);
  if (length >= 1 && length <= max_bytes_ - frame_length_bytes)
    return true;
  broken_ = "a frame of " + std::to_string(length) + " bytes, where at most " +
            std::to_string(max_bytes_ - frame_length_bytes) + " are allowed";
  input_ = {};
  rest_ = {};
  return false;
}

void frame_reader::move_to_rest(std::size_t size) {
  size = std::min(size, input_.size());
  rest_.insert(rest_.end(), input_.begin(), input_.begin() + static_cast<std::ptrdiff_t>(size));
  input_ = input_.subspan(size);
}

std::optional<frame> frame_reader::next() {
  if (!broken_.empty())
    return std::nullopt;
  if (rest_is_taken_) {
    rest_is_taken_ = false;
    // A frame of the largest size is rare: its memory is not kept for ever.
    if (rest_.capacity() > 2 * batch_bytes)
      rest_ = {};
    rest_.clear();
  }
  if (rest_.empty()) {
    if (input_.size() >= frame_length_bytes) {
      if (!check(input_.data()))
        return std::nullopt;
      auto size = frame_length_bytes + length_in(input_.data());
      if (input_.size() >= size) {
        auto found = whole(input_.first(size));
        input_ = input_.subspan(size);
        return found;
      }
    }
    move_to_rest(input_.size());
    return std::nullopt;
  }
  if (rest_.size() < frame_length_bytes)
    move_to_rest(frame_length_bytes - rest_.size());
  if (rest_.size() < frame_length_bytes || !check(rest_.data()))
    return std::nullopt;
  auto size = frame_length_bytes + length_in(rest_.data());
  move_to_rest(size - rest_.size());
  if (rest_.size() < size)
    return std::nullopt;
  rest_is_taken_ = true;
  return whole(rest_);
}

frame_writer::frame_writer(link_bytes& to, frame_kind kind) : to_{to}, begin_{to.size()} {
  put_u32(0);
  put_u8(static_cast<std::uint8_t>(kind));
}

frame_writer::~frame_writer() {
  auto length = to_.size() - begin_ - frame_length_bytes;
  assert(length + frame_length_bytes <= max_frame_bytes);
  for (std::size_t i = 0; i < frame_length_bytes; ++i)
    to_[begin_ + i] = static_cast<std::byte>(length >> (8 * i));
}

void frame_writer::put_id(const message_id& id) {
  put_u64(id.high);
  put_u64(id.low);
}

void frame_writer::put_bytes(std::span<const std::byte> bytes) {
  to_.insert(to_.end(), bytes.begin(), bytes.end());
}

void frame_writer::put_text(std::string_view text) {
  assert(text.size() <= 255);
  put_u8(static_cast<std::uint8_t>(text.size()));
  put_bytes(std::as_bytes(std::span{text.data(), text.size()}));
}

message_id field_reader::id() {
  auto high = u64();
  auto low = u64();
  return {high, low};
}

std::span<const std::byte> field_reader::bytes(std::size_t size) {
  if (size > left_.size()) {
    ok_ = false;
    left_ = {};
    return {};
  }
  auto found = left_.first(size);
  left_ = left_.subspan(size);
  return found;
}

std::string field_reader::text() {
  auto found = bytes(u8());
  return {reinterpret_cast<const char*>(found.data()), found.size()};
}

}  // namespace microlith::internal
