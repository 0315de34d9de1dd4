#include <microlith/persistence/internal/environment_check.hpp>
#include <microlith/persistence/internal/projection_check.hpp>
#include <microlith/persistence/internal/projection_layout.hpp>
#include <microlith/persistence/internal/rows_check.hpp>
#include <microlith/persistence/internal/stored_format.hpp>

#include <algorithm>
#include <optional>

namespace microlith::internal {

namespace {

bool is_row(std::string_view table) {
  return table.starts_with("a.") || table.starts_with("b.");
}

}  // namespace

void check_projection(const std::filesystem::path& directory, message_id epoch,
                      journal_lookup& journal, const std::function<void(finding)>& found,
                      verify_report& report) {
  auto name = directory.filename().string();
  auto part = "projection " + name;
  page_file file{directory / "data.mdb"};
  std::optional<projection_state> state;
  std::uint64_t rows = 0;
  std::uint64_t skipped = 0;
  auto result = check_steadily(file, [&](const page_snapshot&, environment_check& check) {
    state.reset();
    rows = skipped = 0;
    bool has_state = false;
    check.walk([&](std::string_view table, std::span<const std::byte> key,
                   std::span<const std::byte> value) {
      if (is_row(table)) {
        check_row(table.substr(2), key, value);
        ++rows;
      } else if (table == "skipped.a" || table == "skipped.b") {
        // After the state, by their names. A rebuild that is not done is not compared.
        bool is_read = state && table.back() == (state->bank == 0 ? 'a' : 'b');
        bool comparable = is_read && state->epoch == epoch;
        check_skipped(key, value, comparable ? std::optional{state->checkpoint} : std::nullopt,
                      journal);
        skipped += is_read ? 1U : 0U;
      } else if (table == projection_table_name &&
                 std::ranges::equal(key, std::as_bytes(std::span{projection_state_key}))) {
        has_state = true;
        expect_format(value, projection_format, "it");
        state = decode_projection_state(value);
      }
    });
    check.account();
    if (has_state && !state)
      throw page_error{"its state does not fit its checksum"};
  });
  auto what_to_do = ". Stop the node and drop it (microlith projection drop " + name +
                    "): it is then filled again";
  if (!result.problem.empty()) {
    found({true, part,
           "what is in " + directory.string() + " is damaged: " + result.problem + what_to_do});
    return;
  }
  ++report.projections;
  report.rows += rows;
  report.skipped += skipped;
  if (result.overtaken)
    found({false, part, "the node writes it too quickly to be looked at: verify again"});
  else if (!state)
    found({false, part, "it is new and has no state"});
  else if (state->epoch != epoch)
    found({false, part, "it follows another journal, and is filled again at the next start"});
  else if (auto last = journal.last_position(); state->checkpoint > last)
    found({true, part,
           "it is ahead of the journal: it has seen event " + std::to_string(state->checkpoint) +
               ", and the journal ends at event " + std::to_string(last) +
               ". Restore a backup of the journal; the rows are filled again then"});
}

void check_pages(const std::filesystem::path& directory, const std::string& part,
                 const std::function<void(finding)>& found) {
  page_file file{directory / "data.mdb"};
  auto result = check_steadily(file, [](const page_snapshot&, environment_check& check) {
    check.walk([](std::string_view, std::span<const std::byte>, std::span<const std::byte>) {});
    check.account();
  });
  if (!result.problem.empty())
    found({true, part,
           "the file in " + directory.string() + " is damaged: " + result.problem +
               ". Stop the node and restore a backup, or delete the folder"});
  else if (result.overtaken)
    found({false, part, "the node writes it too quickly to be looked at: verify again"});
}

}  // namespace microlith::internal
