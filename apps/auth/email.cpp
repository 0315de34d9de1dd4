#include "auth/email.hpp"

#include <algorithm>

namespace auth {

namespace {

constexpr std::string_view ascii_space = " \t\r\n\f\v";
constexpr std::size_t local_part_limit_bytes = 64;
constexpr std::size_t label_limit_bytes = 63;

bool is_letter_or_digit(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

bool is_local_character(char c) {
  return is_letter_or_digit(c) ||
         std::string_view{".!#$%&'*+/=?^_`{|}~-"}.find(c) != std::string_view::npos;
}

bool is_label(std::string_view label) {
  return !label.empty() && label.size() <= label_limit_bytes && label.front() != '-' &&
         label.back() != '-' && std::all_of(label.begin(), label.end(), [](char c) {
           return is_letter_or_digit(c) || c == '-';
         });
}

bool is_domain(std::string_view domain) {
  while (true) {
    auto dot = domain.find('.');
    if (!is_label(domain.substr(0, dot)))
      return false;
    if (dot == std::string_view::npos)
      return true;
    domain.remove_prefix(dot + 1);
  }
}

}  // namespace

std::string fold_email(std::string_view email) {
  auto first = email.find_first_not_of(ascii_space);
  if (first == std::string_view::npos)
    return {};
  auto last = email.find_last_not_of(ascii_space);
  std::string folded{email.substr(first, last - first + 1)};
  for (auto& c : folded) {
    if (c >= 'A' && c <= 'Z')
      c = static_cast<char>(c - 'A' + 'a');
  }
  return folded;
}

bool is_valid_email(std::string_view folded) {
  if (folded.size() > email_limit_bytes)
    return false;
  auto at = folded.find('@');
  if (at == std::string_view::npos || at == 0 || at > local_part_limit_bytes)
    return false;
  auto local = folded.substr(0, at);
  return std::all_of(local.begin(), local.end(), is_local_character) &&
         is_domain(folded.substr(at + 1));
}

}  // namespace auth
