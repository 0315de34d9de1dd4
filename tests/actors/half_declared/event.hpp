#pragma once

#include <microlith/actors/event_bus.hpp>
#include <microlith/messages/message.hpp>

#include <boost/describe.hpp>

#include <string>

/// Its `stream_of` is in main.cpp, so that other.cpp does not see it.
struct half_declared {
  using message = microlith::event<"test.half_declared">;
  std::string key;
};
BOOST_DESCRIBE_STRUCT(half_declared, (), (key))

void dispatch_unaware(microlith::event_bus& events);
