#include "auth/sliding_window.hpp"

#include <sodium.h>

#include <algorithm>
#include <cstring>
#include <stdexcept>

namespace auth {

sliding_window::sliding_window(std::size_t limit, std::chrono::seconds length,
                               std::size_t kept_limit)
    : limit_{limit}, length_{length}, kept_limit_{kept_limit} {
  static_assert(sizeof hash_key_ == crypto_shorthash_KEYBYTES);
  if (sodium_init() < 0)
    throw std::runtime_error{"cannot start libsodium: no source of random bytes"};
  // A secret key, or clients could choose e-mails that collide.
  crypto_shorthash_keygen(hash_key_);
}

std::uint64_t sliding_window::hash(std::string_view key) const {
  static_assert(crypto_shorthash_BYTES == sizeof(std::uint64_t));
  unsigned char out[crypto_shorthash_BYTES];
  crypto_shorthash(out, reinterpret_cast<const unsigned char*>(key.data()), key.size(), hash_key_);
  std::uint64_t value = 0;
  std::memcpy(&value, out, sizeof value);
  return value;
}

std::chrono::nanoseconds sliding_window::wait_time(std::string_view key, time now) {
  forget_before(now - length_);
  auto found = by_key_.find(hash(key));
  if (limit_ == 0 || found == by_key_.end())
    return {};
  auto& events = found->second->events;
  auto recent =
      std::find_if(events.begin(), events.end(), [&](time at) { return at > now - length_; });
  auto count = static_cast<std::size_t>(events.end() - recent);
  if (count < limit_)
    return {};
  // One more fits once all but limit_ - 1 of them have left the window.
  return *(events.end() - static_cast<std::ptrdiff_t>(limit_)) + length_ - now;
}

void sliding_window::count(std::string_view key, time now) {
  if (limit_ == 0)
    return;
  auto hashed = hash(key);
  auto found = by_key_.find(hashed);
  if (found == by_key_.end()) {
    by_age_.push_back({hashed, {}});
    found = by_key_.emplace(hashed, std::prev(by_age_.end())).first;
  } else {
    by_age_.splice(by_age_.end(), by_age_, found->second);
  }
  auto& events = found->second->events;
  // What is older than the newest `limit_` events never decides anything.
  if (events.size() >= limit_) {
    events.erase(events.begin());
    --kept_;
  }
  events.push_back(now);
  ++kept_;
  while (kept_ > kept_limit_ && by_age_.size() > 1)
    remove(by_age_.begin());
}

void sliding_window::take_back(std::string_view key, time at) {
  auto found = by_key_.find(hash(key));
  if (found == by_key_.end())
    return;
  auto& events = found->second->events;
  auto event = std::find(events.begin(), events.end(), at);
  if (event == events.end())
    return;
  events.erase(event);
  --kept_;
  if (events.empty())
    remove(found->second);
}

void sliding_window::forget_before(time limit) {
  while (!by_age_.empty() && by_age_.front().events.back() <= limit)
    remove(by_age_.begin());
}

void sliding_window::remove(records::iterator at) {
  kept_ -= at->events.size();
  by_key_.erase(at->key);
  by_age_.erase(at);
}

}  // namespace auth
