#include <microlith/actors/internal/link/record.hpp>
#include <microlith/actors/internal/link/session.hpp>

#include <algorithm>
#include <cassert>
#include <utility>

namespace microlith::internal {

void link_session::queue(link_bytes records) {
  if (records.empty())
    return;
  kept_bytes_ += records.size();
  chunks_.push_back(std::move(records));
}

std::size_t link_session::record_bytes_at(const position& at) const {
  const auto& chunk = chunks_[at.chunk];
  assert(at.offset + record_prefix_bytes <= chunk.size());
  return record_prefix_bytes + load_record_prefix(chunk.data() + at.offset).size_bytes;
}

void link_session::step_over(position& at, std::size_t record_bytes) const {
  at.offset += record_bytes;
  at.bytes += record_bytes;
  ++at.records;
  if (at.offset == chunks_[at.chunk].size()) {
    ++at.chunk;
    at.offset = 0;
  }
}

bool link_session::acknowledge(std::uint64_t peer_received) {
  // An older number than the last one is no news; one beyond what was sent cannot be true.
  if (peer_received > sent_.records)
    return false;
  auto before = acknowledged_.bytes;
  while (acknowledged_.records < peer_received)
    step_over(acknowledged_, record_bytes_at(acknowledged_));
  while (acknowledged_.chunk > 0) {
    chunks_.pop_front();
    --acknowledged_.chunk;
    --sent_.chunk;
  }
  auto size = static_cast<std::size_t>(acknowledged_.bytes - before);
  kept_bytes_ -= size;
  released_ += size;
  return true;
}

bool link_session::resume(std::uint64_t peer_received) {
  if (peer_received < acknowledged_.records || !acknowledge(peer_received))
    return false;
  sent_ = acknowledged_;
  return true;
}

std::uint64_t link_session::credit() {
  granted_bytes_ = received_bytes_ + window_bytes_;
  acknowledged_to_peer_ = received_bytes_;
  return granted_bytes_;
}

void link_session::put_acknowledgement(frame_writer& to) {
  to.put_u64(received_);
  to.put_u64(credit());
}

bool link_session::write_data(link_bytes& out) {
  auto fits = [&] {
    return sent_.chunk < chunks_.size() && sent_.bytes + record_bytes_at(sent_) <= peer_credit_;
  };
  if (!fits())
    return false;
  frame_writer data{out, frame_kind::data};
  put_acknowledgement(data);
  data.put_u64(sent_.records);
  while (data.size_bytes() < batch_bytes && fits()) {
    // Neighbouring records of a chunk are copied at once.
    auto begin = sent_;
    while (sent_.chunk == begin.chunk && sent_.bytes - begin.bytes < batch_bytes && fits())
      step_over(sent_, record_bytes_at(sent_));
    data.put_bytes(std::span{chunks_[begin.chunk]}.subspan(
        begin.offset, static_cast<std::size_t>(sent_.bytes - begin.bytes)));
  }
  return true;
}

void link_session::write_control(link_bytes& out, frame_kind kind, std::uint64_t token) {
  frame_writer control{out, kind};
  put_acknowledgement(control);
  if (kind == frame_kind::ping || kind == frame_kind::pong)
    control.put_u64(token);
}

link_session::taken link_session::take(const frame& from_peer,
                                       function_ref<void(std::span<const std::byte>)> arrived) {
  taken result;
  field_reader fields{from_peer.payload};
  auto peer_received = fields.u64();
  auto peer_credit = fields.u64();
  bool numbered = from_peer.kind == frame_kind::data;
  bool marked = from_peer.kind == frame_kind::ping || from_peer.kind == frame_kind::pong;
  auto number = numbered || marked ? fields.u64() : 0;
  if (!fields.ok() || (!numbered && fields.left() > 0)) {
    result.violation = "a frame of the wrong length";
  } else if (!acknowledge(peer_received)) {
    result.violation = "an acknowledgement of something that was not sent";
  } else {
    set_peer_credit(peer_credit);
    if (numbered)
      result.violation = take_records(number, fields, result, arrived);
    else
      result.token = number;
  }
  return result;
}

std::string link_session::take_records(std::uint64_t number, field_reader& fields, taken& result,
                                       function_ref<void(std::span<const std::byte>)> arrived) {
  for (; fields.left() > 0; ++number) {
    auto prefix_bytes = fields.bytes(record_prefix_bytes);
    if (!fields.ok())
      return "a record that is cut off";
    auto prefix = load_record_prefix(prefix_bytes.data());
    if (prefix.size_bytes > max_record_bytes)
      return "a record that is too long";
    auto bytes = fields.bytes(prefix.size_bytes);
    if (!fields.ok())
      return "a record that is cut off";
    if (number < received_)
      continue;
    if (number > received_)
      return "a gap in the numbers of the records";
    if (received_bytes_ + record_prefix_bytes + bytes.size() > granted_bytes_)
      return "more than there is room for";
    if (partial_.size() + bytes.size() > max_link_message_bytes)
      return "a message that is too long";
    ++received_;
    received_bytes_ += record_prefix_bytes + bytes.size();
    if (prefix.goes_on) {
      partial_.insert(partial_.end(), bytes.begin(), bytes.end());
      continue;
    }
    ++result.messages;
    if (partial_.empty()) {
      arrived(bytes);
    } else {
      partial_.insert(partial_.end(), bytes.begin(), bytes.end());
      arrived(std::exchange(partial_, {}));
    }
  }
  return {};
}

}  // namespace microlith::internal
