#include "auth/http/router.hpp"

#include <algorithm>

namespace auth::http {

namespace {

struct target_parts {
  std::string_view authority;  // of an absolute URI, which overrides Host (RFC 9112, 3.2.2)
  std::string_view path;
};

target_parts split(std::string_view target) {
  target_parts parts;
  for (std::string_view scheme : {"http://", "https://"}) {
    if (target.starts_with(scheme)) {
      target.remove_prefix(scheme.size());
      auto end = std::min(target.find_first_of("/?"), target.size());
      parts.authority = target.substr(0, end);
      target.remove_prefix(end);
      break;
    }
  }
  parts.path = target.substr(0, target.find('?'));
  if (parts.path.empty() && !parts.authority.empty())
    parts.path = "/";
  return parts;
}

bool is_json(std::string_view content_type) {
  auto type = content_type.substr(0, content_type.find(';'));
  while (type.ends_with(' ') || type.ends_with('\t'))
    type.remove_suffix(1);
  constexpr std::string_view json = "application/json";
  return std::equal(type.begin(), type.end(), json.begin(), json.end(), [](char a, char b) {
    return (a >= 'A' && a <= 'Z' ? static_cast<char>(a - 'A' + 'a') : a) == b;
  });
}

}  // namespace

void router::add(std::string_view method, std::string_view path, handler handler) {
  auto found =
      std::find_if(routes_.begin(), routes_.end(), [&](const route& r) { return r.path == path; });
  auto& route = found != routes_.end() ? *found : routes_.emplace_back(std::string{path});
  if (method == "GET")
    route.handlers.emplace("HEAD", handler);
  route.handlers.emplace(method, std::move(handler));
}

const router::route* router::find(std::string_view path) const {
  auto found =
      std::find_if(routes_.begin(), routes_.end(), [&](const route& r) { return r.path == path; });
  return found == routes_.end() ? nullptr : &*found;
}

void router::operator()(request request, responder respond) const {
  auto target = split(request.target);
  const auto* route = find(target.path);
  if (route != nullptr)
    respond.name_route(route->path);

  auto hosts = request.count("Host");
  if (hosts > 1 || (hosts == 0 && !request.is_http_1_0))
    return respond(error_reply(400, "malformed_request"));
  // An empty Host names nobody; only a request of HTTP/1.0 may say nothing about it.
  auto says_host = hosts > 0 || !target.authority.empty();
  auto host = authority::parse(target.authority.empty() ? request.value("Host")
                                                        : std::string{target.authority});
  if (says_host && (!host || !is_own_host(names_, *host, request.local)))
    return respond(error_reply(421, "misdirected_request"));

  if (route == nullptr)
    return respond(error_reply(404, "not_found"));
  auto handler = route->handlers.find(request.method);
  if (handler == route->handlers.end()) {
    auto reply = error_reply(405, "method_not_allowed");
    std::string allowed;
    for (const auto& [method, unused] : route->handlers)
      allowed += (allowed.empty() ? "" : ", ") + method;
    reply.headers.push_back({"Allow", allowed});
    return respond(std::move(reply));
  }

  if (request.method == "POST") {
    auto origins = request.count("Origin");
    if (origins > 0 && (!host || !is_own_origin(names_, request.value("Origin"), *host)))
      return respond(error_reply(403, "foreign_origin"));
    if (!request.body.empty() && !is_json(request.value("Content-Type")))
      return respond(error_reply(415, "unsupported_media_type"));
  }
  handler->second(std::move(request), std::move(respond));
}

}  // namespace auth::http
