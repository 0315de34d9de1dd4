#include <microlith/actors/internal/link/resolver.hpp>

#include <mutex>
#include <thread>
#include <utility>

namespace microlith::internal {

struct resolver::pending {
  std::mutex mutex;
  std::optional<resolved> answer;
};

std::optional<resolved> resolver::ask(const std::string& address) {
  auto parts = split_address(address);
  if (!parts)
    return resolved{{}, "'" + address + "' is no address: write host:port"};
  if (auto numeric = resolve(*parts, true); !numeric.found.empty())
    return numeric;
  auto& asked = pending_[address];
  if (!asked) {
    asked = std::make_shared<pending>();
    // Detached: it knows nothing but its own question, and cannot be hurried.
    std::thread{[answer_to = asked, where = *std::move(parts)] {
      auto found = resolve(where, false);
      std::lock_guard lock{answer_to->mutex};
      answer_to->answer = std::move(found);
    }}.detach();
  }
  std::optional<resolved> answer;
  {
    std::lock_guard lock{asked->mutex};
    answer = std::exchange(asked->answer, std::nullopt);
  }
  if (answer)
    pending_.erase(address);
  return answer;
}

}  // namespace microlith::internal
