#include <microlith/persistence/internal/seen_pages.hpp>

#include <memory>

namespace microlith::internal {

seen_pages::~seen_pages() {
  for (auto& each : chunks_)
    delete each.load(std::memory_order_relaxed);
}

bool seen_pages::holds(std::uint64_t page) const {
  if (page / pages_a_chunk >= chunks)
    return false;
  const auto* in = chunks_[page / pages_a_chunk].load(std::memory_order_acquire);
  return in != nullptr &&
         ((*in)[page % pages_a_chunk / 64].load(std::memory_order_relaxed) >> (page % 64) & 1U) !=
             0;
}

void seen_pages::add(std::uint64_t page) {
  if (page / pages_a_chunk >= chunks)
    return;
  auto& place = chunks_[page / pages_a_chunk];
  auto* in = place.load(std::memory_order_acquire);
  if (in == nullptr) {
    auto fresh = std::make_unique<chunk>();
    if (place.compare_exchange_strong(in, fresh.get(), std::memory_order_acq_rel))
      in = fresh.release();
  }
  (*in)[page % pages_a_chunk / 64].fetch_or(std::uint64_t{1} << (page % 64),
                                            std::memory_order_relaxed);
}

}  // namespace microlith::internal
