#include <microlith/persistence/internal/head_cache.hpp>

#include <algorithm>
#include <bit>

namespace microlith::internal {

head_cache::head_cache(std::size_t streams)
    : set_count_{std::bit_ceil(std::max<std::size_t>(streams / ways, 1))},
      sets_{make_lazy_slots<set>(set_count_)} {}

const stream_head* head_cache::find(const stream_key& stream) const {
  for (const auto& e : sets_[set_of(stream)].entries) {
    if (e.stream == stream)
      return &e.head;
  }
  return nullptr;
}

void head_cache::put(const stream_key& stream, stream_head head) {
  auto& entries = sets_[set_of(stream)].entries;
  auto place = std::find_if(entries.begin(), entries.end() - 1,
                            [&](const entry& e) { return e.stream == stream; });
  std::move_backward(entries.begin(), place, place + 1);
  entries.front() = {stream, head};
}

}  // namespace microlith::internal
