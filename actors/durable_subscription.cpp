#include <microlith/actors/durable_subscription.hpp>

#include <algorithm>
#include <cassert>

namespace microlith {

durable_subscription::durable_subscription(std::string name, durable_options options)
    : name_{std::move(name)}, options_{options} {}

void durable_subscription::add(internal::durable_handler handler) {
  assert(std::none_of(handlers_.begin(), handlers_.end(),
                      [&](const auto& other) { return other.type == handler.type; }) &&
         "a durable subscription handles each event type with one function");
  handlers_.push_back(std::move(handler));
}

}  // namespace microlith
