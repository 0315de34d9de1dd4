#include "auth/attempt_limits.hpp"

#include <algorithm>

namespace auth {

namespace {

std::chrono::seconds whole_seconds(std::chrono::nanoseconds wait) {
  return std::chrono::ceil<std::chrono::seconds>(wait);
}

}  // namespace

attempt_limits::attempt_limits(std::size_t registrations_per_minute)
    : registrations_{registrations_per_minute} {}

attempt_limits::admission attempt_limits::begin_sign_in(std::string_view email,
                                                        const http::ip_address& client, time now) {
  auto address = to_string(network_of(client));
  auto pair = address + ' ' + std::string{email};
  auto wait = std::max(by_pair_.wait_time(pair, now), by_address_.wait_time(address, now));
  if (wait.count() > 0)
    return {.admitted = std::nullopt, .retry_after = whole_seconds(wait)};
  by_pair_.count(pair, now);
  by_address_.count(address, now);
  return {.admitted = attempt{std::move(pair), std::move(address), now}, .retry_after = {}};
}

void attempt_limits::forgive(const attempt& attempt) {
  by_pair_.take_back(attempt.pair, attempt.at);
  by_address_.take_back(attempt.address, attempt.at);
}

std::chrono::seconds attempt_limits::begin_registration(const http::ip_address& client, time now) {
  auto address = to_string(network_of(client));
  auto wait = registrations_.wait_time(address, now);
  if (wait.count() > 0)
    return whole_seconds(wait);
  registrations_.count(address, now);
  return {};
}

}  // namespace auth
