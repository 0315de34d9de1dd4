#include "event.hpp"

void dispatch_unaware(microlith::event_bus& events) {
  static_cast<void>(events.dispatch(half_declared{"k"}));
}
