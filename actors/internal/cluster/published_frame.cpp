#include <microlith/actors/internal/cluster/published_frame.hpp>

namespace microlith::internal {

void published_frame::add(std::uint8_t use, std::span<const std::byte> event,
                          const std::shared_ptr<const conversation_facts>& facts,
                          std::span<const std::byte> written) {
  if (empty()) {
    frame_.reserve(full_bytes + full_bytes / 4);
    frame_.push_back(static_cast<std::byte>(wire::kind::published));
  }
  if (empty() || facts_ != facts) {
    frame_.insert(frame_.end(), written.begin(), written.end());
    facts_ = facts;
  }
  auto begin = frame_.size();
  frame_.insert(frame_.end(), event.begin(), event.end());
  frame_[begin] = static_cast<std::byte>(use);
  ++events_;
}

void published_frame::wipe() {
  internal::wipe(frame_.data(), frame_.size());
}

void published_frame::clear() {
  if (frame_.capacity() > 4 * full_bytes)
    frame_ = {};
  frame_.clear();
  events_ = 0;
  facts_.reset();
}

}  // namespace microlith::internal
