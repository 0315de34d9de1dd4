#include "auth/http/cookie.hpp"

namespace auth::http {

std::string_view find_cookie(std::string_view header, std::string_view name) {
  while (!header.empty()) {
    auto end = header.find(';');
    auto pair = header.substr(0, end);
    header = end == std::string_view::npos ? std::string_view{} : header.substr(end + 1);
    auto first = pair.find_first_not_of(" \t");
    if (first == std::string_view::npos)
      continue;
    pair = pair.substr(first, pair.find_last_not_of(" \t") - first + 1);
    if (pair.size() > name.size() && pair[name.size()] == '=' && pair.starts_with(name))
      return pair.substr(name.size() + 1);
  }
  return {};
}

std::string set_cookie(std::string_view name, std::string_view value, std::chrono::seconds max_age,
                       bool secure) {
  std::string text{name};
  text += '=';
  text += value;
  text += "; Path=/; Max-Age=" + std::to_string(max_age.count()) + "; HttpOnly; SameSite=Lax";
  if (secure)
    text += "; Secure";
  return text;
}

}  // namespace auth::http
