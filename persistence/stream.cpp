#include <microlith/persistence/stream.hpp>

namespace microlith {

std::string expected_version::text() const {
  switch (rule_) {
    case rule::any:
      return "any version";
    case rule::exists:
      return "at least one event";
    case rule::exactly:
      break;
  }
  return version_ == 0 ? "no events" : "version " + std::to_string(version_);
}

}  // namespace microlith
