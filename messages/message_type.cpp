#include <microlith/messages/json.hpp>
#include <microlith/messages/message_type.hpp>

namespace microlith {

std::string message_type::print(const void* body) const {
  return internal::print_erased(body, visit);
}

boost::json::value message_type::to_json(const void* body) const {
  return internal::json_erased(body, visit);
}

}  // namespace microlith
