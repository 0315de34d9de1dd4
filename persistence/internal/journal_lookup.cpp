#include <microlith/persistence/internal/journal_lookup.hpp>

namespace microlith::internal {

std::uint64_t journal_lookup::last_position() {
  if (pages_)
    pages_->refresh();
  else
    pages_.emplace(directory_);
  return pages_->state().last_position;
}

std::optional<message_id> journal_lookup::id_at(std::uint64_t position) {
  if (!pages_ || position > pages_->state().last_position)
    (void)last_position();
  parsed_record record;
  if (position == 0 || position > pages_->state().last_position || pages_->load(position, record))
    return std::nullopt;
  return record.view.id;
}

}  // namespace microlith::internal
