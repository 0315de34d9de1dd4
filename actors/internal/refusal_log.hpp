#pragma once

// Says in a node's log that messages were refused: who sends one may ignore it. One line a reason
// now and then, however many there are.
//
// Any thread may call anything. Once it is closed it says nothing: the node has stopped, and what
// its log writes to may be gone.

#include <microlith/actors/statistics.hpp>
#include <microlith/messages/envelope.hpp>

#include <array>
#include <atomic>
#include <chrono>
#include <functional>
#include <mutex>
#include <string>

namespace microlith::internal {

class refusal_log {
 public:
  /// At least so long between two lines about the same reason.
  static constexpr std::chrono::seconds interval{10};

  /// Calls `say` with a line where it is time for one.
  void tell(const failure& why, steady_time now,
            const std::function<void(const std::string&)>& say);

  /// Returns when nobody says anything any more.
  void close();

 private:
  struct reason {
    std::atomic<steady_time::rep> next{steady_time::min().time_since_epoch().count()};
    std::atomic<std::uint64_t> untold{0};
  };

  std::array<reason, failure_kinds> reasons_;
  std::recursive_mutex mutex_;  // who writes the log may send something that is refused
  bool closed_ = false;         // guarded by it
};

}  // namespace microlith::internal
