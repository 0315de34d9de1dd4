#include <microlith/messages/recycled.hpp>

#include <array>
#include <mutex>
#include <utility>

#if defined(__SANITIZE_ADDRESS__)
#define MICROLITH_RECYCLES 0
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define MICROLITH_RECYCLES 0
#endif
#endif
#ifndef MICROLITH_RECYCLES
#define MICROLITH_RECYCLES 1
#endif

namespace microlith::internal {

namespace {

constexpr std::size_t step_bytes = 64;
constexpr std::size_t sizes = max_recycled_bytes / step_bytes;
constexpr std::size_t batch_blocks = 64;
constexpr std::size_t max_kept_bytes = std::size_t{8} << 20;

// Memory that nobody uses begins with these.
struct block {
  block* next;
  block* next_batch;
};

struct batch {
  block* first = nullptr;
  std::size_t count = 0;

  void push(void* memory) {
    first = new (memory) block{first, nullptr};
    ++count;
  }
  [[nodiscard]] void* pop() {
    --count;
    return std::exchange(first, first->next);
  }
  void free_all() {
    while (first != nullptr)
      ::operator delete(pop());
  }
};

// Full batches that threads have passed on.
class depot {
 public:
  [[nodiscard]] batch take() {
    std::lock_guard lock{mutex_};
    if (first_ == nullptr)
      return {};
    --batches_;
    return {std::exchange(first_, first_->next_batch), batch_blocks};
  }
  /// False: there are enough.
  [[nodiscard]] bool give(batch full, std::size_t block_bytes) {
    std::lock_guard lock{mutex_};
    if (batches_ * batch_blocks * block_bytes >= max_kept_bytes)
      return false;
    full.first->next_batch = std::exchange(first_, full.first);
    ++batches_;
    return true;
  }

 private:
  std::mutex mutex_;
  block* first_ = nullptr;
  std::size_t batches_ = 0;
};

depot& depot_of(std::size_t size) {
  // Never destroyed: objects with static storage may end after it would be.
  static auto* all = new std::array<depot, sizes>;
  return (*all)[size];
}

struct thread_cache {
  struct of_size {
    batch active;
    batch full;
  };
  std::array<of_size, sizes> kept;

  ~thread_cache();
};

constinit thread_local bool cache_ended = false;
thread_local thread_cache cache;

thread_cache::~thread_cache() {
  cache_ended = true;
  for (auto& each : kept) {
    each.active.free_all();
    each.full.free_all();
  }
}

}  // namespace

bool recycles_memory() {
  return MICROLITH_RECYCLES;
}

void* take_recycled(std::size_t bytes) {
  if (!MICROLITH_RECYCLES || bytes > max_recycled_bytes || cache_ended)
    return ::operator new(bytes);
  auto size = (bytes - 1) / step_bytes;
  auto& kept = cache.kept[size];
  if (kept.active.count == 0) {
    if (kept.full.count != 0)
      kept.active = std::exchange(kept.full, {});
    else
      kept.active = depot_of(size).take();
    if (kept.active.count == 0)
      return ::operator new((size + 1) * step_bytes);
  }
  return kept.active.pop();
}

void give_recycled(void* memory, std::size_t bytes) noexcept {
  if (!MICROLITH_RECYCLES || bytes > max_recycled_bytes || cache_ended) {
    ::operator delete(memory);
    return;
  }
  auto size = (bytes - 1) / step_bytes;
  auto& kept = cache.kept[size];
  kept.active.push(memory);
  if (kept.active.count < batch_blocks)
    return;
  if (kept.full.count != 0 && !depot_of(size).give(kept.full, (size + 1) * step_bytes))
    kept.full.free_all();
  kept.full = std::exchange(kept.active, {});
}

}  // namespace microlith::internal
