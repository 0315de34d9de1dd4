#pragma once

// Whether and how a decider's state is kept as a snapshot: a described struct of what messages can
// hold, with no secret in it. Constant; any thread.

#include <microlith/actors/internal/decider_definition.hpp>
#include <microlith/messages/codec.hpp>
#include <microlith/messages/schema.hpp>

#include <algorithm>
#include <concepts>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace microlith::internal {

/// Unlike `shape_of` it asks without a compile error: a state that is not kept may be anything.
template <class T, class... Outer>
consteval bool can_be_kept() {
  if constexpr ((std::same_as<T, Outer> || ...)) {
    return true;  // a recursive type: the outer one is being looked at
  } else {
    constexpr auto kind = classify<T>();
    if constexpr (kind == shape::unsupported || kind == shape::secret)
      return false;
    else if constexpr (kind == shape::optional)
      return !is_a<typename T::value_type, std::optional> &&
             can_be_kept<typename T::value_type, Outer...>();
    else if constexpr (kind == shape::list)
      return can_be_kept<typename T::value_type, Outer...>();
    else if constexpr (kind == shape::map)
      return can_be_key<typename T::key_type>() && can_be_kept<typename T::mapped_type, Outer...>();
    else if constexpr (kind == shape::structure)
      return all_fields<T>(
          [](auto field) { return can_be_kept<field_type<T, decltype(field)>, T, Outer...>(); });
    else
      return true;
  }
}

/// Changes when the state's fields do, when the set of events that it evolves with or one of their
/// versions does, and when `version` does.
template <described S>
[[nodiscard]] std::uint64_t snapshot_fingerprint(const decider_definition& decider) {
  std::vector<schema_field> parts;
  for (const auto& [type, evolve] : decider.evolve)
    parts.push_back({std::string{type->name}, std::to_string(type->version)});
  std::sort(parts.begin(), parts.end(),
            [](const auto& a, const auto& b) { return a.name < b.name; });
  parts.push_back({"fields", std::to_string(schema_of<S>().fingerprint)});
  parts.push_back({"version", std::to_string(decider.options.snapshot_version)});
  return fingerprint_of(parts);
}

/// Once `evolve` is complete.
template <class S>
void add_snapshots(decider_definition& decider) {
  if constexpr (can_be_kept<S>()) {
    decider.snapshots =
        snapshot_codec{.fingerprint = snapshot_fingerprint<S>(decider),
                       .encode = [](const void* state,
                                    bytes& out) { encode_to(out, *static_cast<const S*>(state)); },
                       .decode = [](std::span<const std::byte> in) -> erased_state {
                         auto state = decode<S>(in);
                         return state ? std::make_shared<S>(std::move(*state)) : nullptr;
                       }};
  }
}

}  // namespace microlith::internal
