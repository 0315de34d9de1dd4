#include <microlith/messages/upcast.hpp>

namespace microlith::internal {

decode_error unknown_version(std::string_view type, std::uint16_t version, std::uint16_t oldest,
                             std::uint16_t newest) {
  std::string reason = "version " + std::to_string(version);
  reason += version > newest ? " is newer than" : " is older than";
  if (oldest == newest)
    reason += " version " + std::to_string(newest) + ", the only one known here; ";
  else
    reason += " versions " + std::to_string(oldest) + " to " + std::to_string(newest) +
              ", which are known here; ";
  reason +=
      version > newest ? "run a build that knows it" : "keep its struct and an upcast from it";
  return {std::string{type}, {}, decode_error::nowhere, std::move(reason)};
}

}  // namespace microlith::internal
