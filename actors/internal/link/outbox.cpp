#include <microlith/actors/internal/link/outbox.hpp>
#include <microlith/actors/internal/link/record.hpp>

#include <utility>

namespace microlith::internal {

outbox::outbox(std::string peer, std::string address, std::size_t max_kept_bytes)
    : max_kept_bytes_{max_kept_bytes} {
  status_.peer = std::move(peer);
  status_.address = std::move(address);
}

outbox::put_result outbox::put(std::span<const std::byte> message) {
  if (message.size() > max_link_message_bytes)
    return {sent::overloaded};
  auto size = recorded_bytes(message.size());
  std::lock_guard lock{mutex_};
  if (!open_)
    return {sent::unreachable};
  if (size > max_kept_bytes_ - kept_bytes_)
    return {sent::overloaded};
  append_records(waiting_, message);
  kept_bytes_ += size;
  ++status_.messages_sent;
  return {sent::taken, !std::exchange(woken_, true)};
}

link_status outbox::status() const {
  std::lock_guard lock{mutex_};
  auto now = status_;
  now.unacknowledged_bytes = kept_bytes_;
  return now;
}

void outbox::open(bool anew) {
  std::lock_guard lock{mutex_};
  open_ = true;
  if (anew) {
    status_.messages_sent = 0;
    status_.messages_received = 0;
  }
}

void outbox::shut() {
  std::lock_guard lock{mutex_};
  open_ = false;
}

void outbox::drop() {
  std::lock_guard lock{mutex_};
  open_ = false;
  kept_bytes_ = 0;
  waiting_ = {};
}

link_bytes outbox::take() {
  std::lock_guard lock{mutex_};
  woken_ = false;
  return std::exchange(waiting_, {});
}

void outbox::release(std::size_t size_bytes) {
  std::lock_guard lock{mutex_};
  kept_bytes_ -= size_bytes;
}

}  // namespace microlith::internal
