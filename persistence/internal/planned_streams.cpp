#include <microlith/persistence/internal/hash.hpp>
#include <microlith/persistence/internal/planned_streams.hpp>
#include <microlith/persistence/internal/prefetch.hpp>

#include <string>

namespace microlith::internal {

namespace {

constexpr std::size_t requests_ahead = 8;

}  // namespace

void planned_streams::list(append_batch requests, const std::vector<bool>& decided,
                           const name_secret& secret) {
  all_.clear();
  next_ = prefetched_ = filtered_ = 0;
  const std::string* last_name = nullptr;
  stream_key last_key;
  auto hash = [&](const std::string& name) {
    if (name.empty())
      return stream_key{};
    if (last_name == nullptr || *last_name != name) {
      last_key = hash_stream(name, secret);
      last_name = &name;
    }
    return last_key;
  };
  for (std::size_t i = 0; i < requests.size(); ++i) {
    if (i + requests_ahead < requests.size())
      prefetch(*requests[i + requests_ahead]);
    if (i + events_ahead < requests.size() && !requests[i + events_ahead]->events.empty())
      prefetch(requests[i + events_ahead]->events.front());
    if (decided[i])
      continue;
    for (const auto& check : requests[i]->checks)
      all_.push_back({hash(check.stream)});
    for (const auto& event : requests[i]->events)
      all_.push_back({hash(event.stream)});
  }
}

}  // namespace microlith::internal
