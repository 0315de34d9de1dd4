#pragma once

#include <microlith/messages/outcome.hpp>

#include <memory>
#include <optional>

namespace microlith::test {

// What a wait that names a function has ended with, how often, and at which time.
template <class... Ts>
struct ending {
  int count = 0;
  std::optional<answer<Ts...>> got;

  auto function() {
    // A node that stops ends the waits of a test that is over.
    return [this, alive = std::weak_ptr<int>{alive_}](const answer<Ts...>& a) {
      if (alive.expired())
        return;
      ++count;
      got = a;
    };
  }

 private:
  std::shared_ptr<int> alive_ = std::make_shared<int>(0);
};

}  // namespace microlith::test
