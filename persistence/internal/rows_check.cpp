#include <microlith/messages/print.hpp>
#include <microlith/persistence/internal/byte_order.hpp>
#include <microlith/persistence/internal/page_file.hpp>
#include <microlith/persistence/internal/row_checksum.hpp>
#include <microlith/persistence/internal/rows_check.hpp>
#include <microlith/persistence/internal/skipped_layout.hpp>

#include <string>

namespace microlith::internal {

namespace {

constexpr std::string_view inline_states = "inline";
constexpr std::string_view inline_prefix = "inline.";
constexpr std::string_view inline_skipped = "/skipped";

skipped_event decoded(std::span<const std::byte> key, std::span<const std::byte> value) {
  auto event = decode_skipped(key, value);
  if (!event)
    throw page_error{"a record of a skipped event is not what was written"};
  return std::move(*event);
}

}  // namespace

void check_row(std::string_view table, std::span<const std::byte> key,
               std::span<const std::byte> value) {
  auto row = value.size() < row_checksum_bytes ? value : value.subspan(row_checksum_bytes);
  if (value.size() < row_checksum_bytes ||
      load_le<std::uint32_t>(value.data()) != row_checksum(key, row))
    throw page_error{"the checksum of a row of table " + print_text(table) + " does not fit"};
}

void check_skipped(std::span<const std::byte> key, std::span<const std::byte> value,
                   std::optional<std::uint64_t> reached, journal_lookup& journal) {
  auto event = decoded(key, value);
  if (!reached)
    return;
  if (event.position > *reached)
    throw page_error{"it has a record that event " + std::to_string(event.position) +
                     " was skipped, and has come to event " + std::to_string(*reached)};
  auto id = journal.id_at(event.position);
  if (id && *id != event.id)
    throw page_error{"it has a record that event " + std::to_string(event.position) +
                     " was skipped, with the id " + to_string(event.id) +
                     ", and the journal's event there is " + to_string(*id)};
}

bool check_inline(std::string_view table, std::span<const std::byte> key,
                  std::span<const std::byte> value, std::uint64_t journal_end) {
  if (table == inline_states) {
    std::string name{reinterpret_cast<const char*>(key.data()), key.size()};
    auto state = decode_projection_state(value);
    if (!state)
      throw page_error{"the state of inline projection " + print_text(name) +
                       " does not fit its checksum"};
    if (state->checkpoint > journal_end)
      throw page_error{"inline projection " + print_text(name) + " has seen event " +
                       std::to_string(state->checkpoint) + ", and the journal ends at event " +
                       std::to_string(journal_end)};
  } else if (!table.starts_with(inline_prefix)) {
    return false;
  } else if (table.ends_with(inline_skipped)) {
    (void)decoded(key, value);
  } else {
    check_row(table.substr(inline_prefix.size()), key, value);
  }
  return true;
}

}  // namespace microlith::internal
