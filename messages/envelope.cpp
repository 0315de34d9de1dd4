#include <microlith/messages/envelope.hpp>

namespace microlith {

envelope::content::~content() {
  delete encoded.load(std::memory_order_acquire);
}

result<envelope, decode_error> envelope::decode(envelope_head head, const message_type& type,
                                                std::uint16_t version,
                                                std::span<const std::byte> body) {
  auto decoded = type.decode(version, body);
  if (!decoded)
    return decoded.error();
  return envelope{std::allocate_shared<const shared_content>(
      internal::recycling_allocator<shared_content>{}, std::move(head), type, std::move(*decoded))};
}

envelope envelope::with_head(envelope_head head) const {
  std::shared_ptr<const void> same_body{content_, content_->body};
  envelope copy{std::make_shared<const shared_content>(std::move(head), *content_->type,
                                                       std::move(same_body))};
  copy.position = position;
  copy.stream_version = stream_version;
  return copy;
}

const bytes& envelope::encoded() const {
  if (auto* ready = content_->encoded.load(std::memory_order_acquire))
    return *ready;
  auto fresh = std::make_unique<bytes>();
  content_->type->encode(content_->body, *fresh);
  const bytes* expected = nullptr;
  // Two threads may encode at once; the first to finish wins.
  if (content_->encoded.compare_exchange_strong(expected, fresh.get(), std::memory_order_acq_rel))
    return *fresh.release();
  return *expected;
}

std::string envelope::print() const {
  if (!content_)
    return "(no message)";
  std::string text{content_->type->name};
  text += ' ';
  text += to_string(content_->head.id);
  text += ' ';
  text += content_->type->print(content_->body);
  return text;
}

const conversation_facts& facts_of(const envelope_head& head) {
  static const conversation_facts nobody;
  return head.facts ? *head.facts : nobody;
}

}  // namespace microlith
