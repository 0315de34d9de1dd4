#include <microlith/messages/outcome.hpp>

#include <stdexcept>

namespace microlith {

std::string_view to_string(failure_kind kind) {
  switch (kind) {
    case failure_kind::timeout:
      return "timeout";
    case failure_kind::no_handler:
      return "no_handler";
    case failure_kind::handler_failed:
      return "handler_failed";
    case failure_kind::overloaded:
      return "overloaded";
    case failure_kind::unreachable:
      return "unreachable";
    case failure_kind::stopped:
      return "stopped";
    case failure_kind::conflict:
      return "conflict";
    case failure_kind::forgotten:
      return "forgotten";
  }
  return "unknown";
}

std::string_view to_string(certainty value) {
  return value == certainty::not_done ? "not_done" : "unknown";
}

std::string to_string(const failure& why) {
  std::string text{to_string(why.kind)};
  text += " (";
  text += to_string(why.certainty);
  text += "): ";
  text += why.text;
  return text;
}

void throw_exception_from_error(const failure& why, const boost::source_location&) {
  throw std::runtime_error{to_string(why)};
}

}  // namespace microlith
