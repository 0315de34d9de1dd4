#include <microlith/persistence/internal/head_cache.hpp>

#include <algorithm>
#include <bit>
#include <utility>

namespace microlith::internal {

namespace {

constexpr std::size_t first_sets = 1'024;

}  // namespace

head_cache::head_cache(std::size_t max_streams)
    : max_sets_{std::bit_ceil(std::max<std::size_t>(max_streams / ways, 1))},
      set_count_{std::min(max_sets_, first_sets)},
      sets_{make_slots<set>(set_count_)} {}

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
  if (place->stream.empty() && ++used_ > set_count_ * ways / 2 && set_count_ < max_sets_) {
    grow();
    put(stream, head);
    return;
  }
  std::move_backward(entries.begin(), place, place + 1);
  entries.front() = {stream, head};
}

void head_cache::grow() {
  auto old_count = std::exchange(set_count_, set_count_ * 2);
  auto old = std::exchange(sets_, make_slots<set>(set_count_));
  used_ = 0;
  for (std::size_t i = 0; i < old_count; ++i) {
    for (auto e = old[i].entries.rbegin(); e != old[i].entries.rend(); ++e) {
      if (!e->stream.empty())
        put(e->stream, e->head);
    }
  }
}

}  // namespace microlith::internal
