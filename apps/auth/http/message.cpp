#include "auth/http/message.hpp"

#include <algorithm>

namespace auth::http {

namespace {

constexpr int internal_server_error = 500;

bool equal_without_case(std::string_view a, std::string_view b) {
  auto lower = [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; };
  return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                    [&](char x, char y) { return lower(x) == lower(y); });
}

}  // namespace

std::size_t request::count(std::string_view name) const {
  return static_cast<std::size_t>(
      std::count_if(headers.begin(), headers.end(),
                    [&](const header& h) { return equal_without_case(h.name, name); }));
}

std::string request::value(std::string_view name) const {
  std::string joined;
  for (const auto& header : headers) {
    if (!equal_without_case(header.name, name))
      continue;
    if (!joined.empty())
      joined += ", ";
    joined += header.value;
  }
  return joined;
}

reply error_reply(int status, std::string_view code) {
  return {.status = status,
          .body = "{\"error\":\"" + std::string{code} + "\"}",
          .headers = {{"Cache-Control", "no-store"}}};
}

reply error_reply(int status, std::string_view code, std::chrono::seconds retry_after) {
  auto reply = error_reply(status, code);
  reply.headers.push_back({"Retry-After", std::to_string(retry_after.count())});
  return reply;
}

responder::responder(sink sink) : state_{std::make_shared<state>(std::move(sink))} {}

responder::state::~state() {
  send(error_reply(internal_server_error, "internal_error"));
}

void responder::state::send(reply reply) {
  if (!done.exchange(true))
    send_to(std::move(reply), route);
}

}  // namespace auth::http
