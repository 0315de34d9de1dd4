#pragma once

// The waits and slots of a node: where an answer and the wait for it meet, in either order.
//
// A dispatch from outside opens a slot for its conversation; messages and failures of the
// conversation are kept there, so a wait that comes after its answer still finds it. What most
// conversations are, one dispatch and nothing else, is kept without a slot
// (conversation_slots.hpp). Invariants:
//   - a wait ends exactly once;
//   - the number of waits, of answered slots and of messages kept in a slot is bounded;
//   - a wait for a conversation that has made room for others ends as `forgotten`.
// Any thread may call anything. Completions run on the calling thread, outside of all locks.

#include <microlith/actors/internal/brief_mutex.hpp>
#include <microlith/actors/internal/pending_wait.hpp>
#include <microlith/actors/statistics.hpp>

#include <boost/container/small_vector.hpp>
#include <boost/intrusive/list.hpp>
#include <boost/unordered/unordered_flat_map.hpp>

#include <array>
#include <atomic>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <vector>

namespace microlith::internal {

struct conversation_limits {
  std::size_t max_waits = 65'536;           ///< waits pending at once, in the node
  std::size_t max_answered_slots = 65'536;  ///< kept for waits that may still come
  std::size_t max_kept_messages = 64;       ///< of one conversation; past it, and past as many
                                            ///< dispatches, the newest are not kept
  std::chrono::milliseconds keep{10'000};   ///< how long an answered slot is kept
};

/// A dispatch that begins, or continues, a conversation.
struct opened_dispatch {
  message_id id;
  bool once = false;  ///< a command: while it runs, the same one again is not another
  bool is_event = false;
};

/// Reads an event by position where it is of one of these types. Empty: it is not; an error: nobody
/// knows.
using recall_event = std::function<result<std::optional<envelope>, failure>(
    std::uint64_t position, std::span<const message_type* const> types)>;

/// Whether the conversation had the dispatch before. `again` where that is not known any more, too.
enum class opening : std::uint8_t { first, while_running, again };

class conversations {
 public:
  /// A wait that has ended and does not know yet.
  struct ending {
    ending(std::unique_ptr<pending_wait>&& w, raw_answer&& a, bool filed)
        : wait{std::move(w)}, answer{std::move(a)}, was_filed{filed} {}
    std::unique_ptr<pending_wait> wait;
    raw_answer answer;
    bool was_filed = false;
  };
  using endings = boost::container::small_vector<ending, 2>;

  /// `arm(time)` is called when `expire` has to be called earlier than it was last asked for.
  /// Without `recall` every event is kept in a slot.
  conversations(conversation_limits limits, statistics_counters& counters,
                std::function<void(steady_time)> arm,
                std::function<void(const envelope&)> on_late_answer, recall_event recall = {});
  ~conversations();
  conversations(const conversations&) = delete;
  conversations& operator=(const conversations&) = delete;

  /// A dispatch from outside was admitted. What earlier dispatches of the conversation failed with
  /// no longer matters. `while_running`: nothing was opened, the one that runs answers for both.
  opening open(correlation_id correlation, opened_dispatch dispatch);

  /// A dispatch from outside was not admitted: a wait that follows learns why.
  void refuse(correlation_id correlation, failure why, steady_time now);

  /// Files a wait, or ends it at once: its answer is here already, its slot is gone, the node is
  /// stopping, or there are too many waits. With a dispatch, it does first what `open` does.
  opening wait(std::unique_ptr<pending_wait> wait, steady_time now, opened_dispatch dispatch = {});

  /// A message of a conversation has passed a bus.
  void pass(const envelope& message, steady_time now);

  /// The handling of `why.message` failed; `root` is the dispatch from outside that it descends
  /// from. True where a handler that waits for this very message deals with it.
  [[nodiscard]] bool fail(correlation_id correlation, message_id root, failure why,
                          steady_time now);

  /// A message that a handler sent never left: ends the waits for it, and nothing else.
  void unsent(correlation_id correlation, failure why, steady_time now);

  /// Messages of a conversation have passed; with `how`, the dispatch `id` has ended well after
  /// them. Those of another conversation pass there.
  void conclude(correlation_id correlation, std::span<const envelope* const> passed, message_id id,
                const std::optional<accepted>& how, steady_time now);
  /// The same for one of many: the waits that it ends are added to `ended`, for `tell`.
  void conclude(correlation_id correlation, std::span<const envelope* const> passed, message_id id,
                const std::optional<accepted>& how, steady_time now, endings& ended);
  /// Calls the completions of waits that have ended, in order, and empties the list.
  void tell(endings& ended);

  /// Ends the waits whose time is up and forgets the slots whose time is up. Returns when to come
  /// again; `steady_time::max()`: when armed.
  [[nodiscard]] steady_time expire(steady_time now);

  /// Ends every wait as `stopped`, and all that come.
  void stop();

  [[nodiscard]] std::size_t pending_waits() const { return waits_.load(std::memory_order_relaxed); }
  [[nodiscard]] std::size_t slots() const;

 private:
  struct slot;
  struct shard;

  [[nodiscard]] shard& shard_of(correlation_id id);
  std::pair<slot&, opening> open_slot(shard& in, correlation_id correlation,
                                      opened_dispatch dispatch);
  std::optional<raw_answer> recall(std::unique_lock<brief_mutex>& lock, std::uint64_t position,
                                   const pending_wait& wait);
  /// How a wait ends that need not be filed for it.
  std::optional<raw_answer> known_end(const shard& in, const slot* at, bool is_new,
                                      const pending_wait& wait, steady_time now);
  void file(shard& in, slot* at, bool is_new, std::unique_ptr<pending_wait> wait, steady_time now);
  void pass_slot(shard& in, slot& at, const envelope& message, endings& ended,
                 std::vector<envelope>& late);
  void finish_slot(shard& in, slot& at, message_id id, accepted how, endings& ended);
  void settle(shard& in, slot& at, steady_time now);
  bool end_quietly(shard& in, correlation_id correlation, std::span<const envelope* const> passed,
                   message_id id, const std::optional<accepted>& how, steady_time now);
  static bool end_alone(shard& in, correlation_id correlation,
                        std::span<const envelope* const> passed, message_id id,
                        const std::optional<accepted>& how, endings& ended);
  void tell_late(const std::vector<envelope>& late);
  void arm_if_earlier(steady_time when);
  std::unique_ptr<pending_wait> unfile(shard& in, slot& at, std::size_t index);

  conversation_limits limits_;
  statistics_counters& counters_;
  std::function<void(steady_time)> arm_;
  std::function<void(const envelope&)> on_late_answer_;
  recall_event recall_;
  std::atomic<std::size_t> waits_{0};
  std::atomic<bool> stopped_{false};
  std::atomic<steady_time::rep> armed_{steady_time::max().time_since_epoch().count()};

  static constexpr std::size_t max_shards = 64;
  /// Each makes room by itself: with few, one that is full would forget while others are empty.
  static constexpr std::size_t min_answered_in_a_shard = 256;
  std::size_t shard_count_;
  std::size_t max_answered_;  // in a shard
  std::unique_ptr<shard[]> shards_;
};

}  // namespace microlith::internal
