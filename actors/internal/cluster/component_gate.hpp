#pragma once

// What goes to one component over one bus of this node: counted from the bus until its end, and
// held back while the component moves.
//
//   open      everything passes
//   draining  what the component may be waiting for still passes, so that all comes to an end:
//             where it runs, what handlers cause and what other nodes sent; elsewhere, what
//             descends from something that its node sent. All else is held
//   closed    where it runs: nothing passes; nothing that passed is unfinished
//
// `enters` and `open` are called by the actor of the bus alone, so held messages leave in the order
// in which they came; everything else by any thread.

#include <microlith/messages/envelope.hpp>

#include <atomic>
#include <cstdint>
#include <mutex>
#include <vector>

namespace microlith::internal {

class component_gate {
 public:
  /// True: it passes, and has to end. False: it was taken, to be held. `from_within`: it also
  /// passes while draining.
  [[nodiscard]] bool enters(envelope& message, bool from_within);
  /// Counted without having come by: whoever calls this ends it, too.
  void pass() { passed_.fetch_add(1); }
  /// What passed has been finished or has failed.
  void ended() { passed_.fetch_sub(1); }

  void hold();
  /// Nothing that passed is unfinished at this moment.
  [[nodiscard]] bool is_drained() const { return passed_.load() == 0; }
  /// Nothing that passed is unfinished; from then on nothing passes until it is opened.
  [[nodiscard]] bool closes();
  /// What was held, in order; from now on everything passes.
  [[nodiscard]] std::vector<envelope> open();

  [[nodiscard]] bool holds() const { return mode_.load() != mode::open; }
  [[nodiscard]] std::size_t held() const;

 private:
  enum class mode : std::uint8_t { open, draining, closed };

  // Sequentially consistent both: whoever passes is seen by who closes, or sees it closed.
  std::atomic<mode> mode_{mode::open};
  std::atomic<std::int64_t> passed_{0};
  mutable std::mutex mutex_;
  std::vector<envelope> held_;
};

}  // namespace microlith::internal
