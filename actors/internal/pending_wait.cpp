#include <microlith/actors/internal/pending_wait.hpp>

#include <algorithm>

namespace microlith::internal {

bool pending_wait::takes(const envelope& message) const {
  if (std::find(types.begin(), types.end(), &message.type()) == types.end())
    return false;
  const auto& head = message.head();
  if (bound.empty())
    return true;
  if (message.type().kind == message_kind::response)
    return head.causation == bound;
  if (bound_to_root)
    return head.root == bound;
  // What a sibling of `bound` causes directly names the sibling; of what lies deeper nobody knows
  // more than the conversation.
  return head.causation == bound || head.depth > bound_depth + 1;
}

failure stopped_failure() {
  return {.kind = failure_kind::stopped,
          .certainty = certainty::unknown,
          .text = "the node is stopping; ask again when it has restarted",
          .message = {}};
}

failure timeout_failure(const pending_wait& wait) {
  std::string text = "no ";
  for (std::size_t i = 0; i < wait.types.size(); ++i) {
    text += i == 0 ? "" : " or ";
    text += wait.types[i]->name;
  }
  if (wait.types.empty())
    text += "outcome";
  text += " within " + std::to_string(wait.limit.count()) + " ms in conversation " +
          to_string(wait.correlation);
  return {.kind = failure_kind::timeout,
          .certainty = certainty::unknown,
          .text = std::move(text),
          .message = wait.bound};
}

failure forgotten_failure(const pending_wait& wait) {
  return {.kind = failure_kind::forgotten,
          .certainty = certainty::unknown,
          .text = "what passed in conversation " + to_string(wait.correlation) +
                  " has made room for other messages; wait sooner, or raise max_answered_slots",
          .message = wait.bound};
}

}  // namespace microlith::internal
