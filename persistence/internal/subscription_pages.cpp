#include <microlith/persistence/internal/stored_format.hpp>
#include <microlith/persistence/internal/subscription_pages.hpp>

#include <algorithm>

namespace microlith::internal {

std::optional<subscription_state> subscription_state_in(const page_file& file,
                                                        const page_snapshot& seen) {
  auto tree = find_tree(file, seen, "state");
  if (!tree)
    return std::nullopt;
  auto key = as_key(subscription_state_key);
  page_cursor cursor{file, seen, *tree};
  if (!cursor.seek(key) || !std::ranges::equal(cursor.key(), key))
    return std::nullopt;
  expect_format(cursor.value(), subscription_format, "it");
  auto state = decode_subscription_state(cursor.value());
  if (!state)
    throw page_error{"its state does not fit its checksum"};
  return state;
}

}  // namespace microlith::internal
