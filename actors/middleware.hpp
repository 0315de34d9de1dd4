#pragma once

// Functions around dispatch and around handle: log, authorize, measure, reject.
//
// Middleware added first is outermost. It runs on the thread that dispatches or handles, keeps the
// order of messages, and must not block.

#include <microlith/messages/envelope.hpp>
#include <microlith/messages/outcome.hpp>

#include <functional>

namespace microlith {

/// An admitted dispatch.
struct receipt {
  message_id id;
  correlation_id correlation;
};

/// A receipt, or why it was refused.
using dispatch_result = result<receipt, failure>;

/// Goes on with the message given (perhaps with other headers), or returns a failure without doing
/// so.
using next_dispatch = std::function<dispatch_result(envelope)>;
using dispatch_middleware = std::function<dispatch_result(envelope, const next_dispatch&)>;

/// Calls `next` or throws; what it throws fails the handling as an exception of the handler would.
using handle_middleware = std::function<void(const envelope&, const std::function<void()>& next)>;

}  // namespace microlith
