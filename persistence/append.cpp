#include <microlith/persistence/append.hpp>

namespace microlith {

std::string to_string(const append_conflict& conflict) {
  return "stream " + conflict.stream + " has version " + std::to_string(conflict.actual) +
         ", expected " + conflict.expected + ": load it again and decide again";
}

}  // namespace microlith
