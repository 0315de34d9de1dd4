#include <microlith/persistence/internal/data_folder.hpp>
#include <microlith/persistence/internal/environment_check.hpp>
#include <microlith/persistence/internal/journal_pages.hpp>
#include <microlith/persistence/internal/projection_layout.hpp>
#include <microlith/persistence/projection_files.hpp>

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <system_error>

namespace microlith {

namespace {

using namespace internal;
using path = std::filesystem::path;

stored_projection look_at(const path& folder, const journal_pages& journal) {
  stored_projection found;
  found.name = folder.filename().string();
  found.to_be_rebuilt = std::filesystem::exists(folder / rebuild_mark);
  page_file file{folder / "data.mdb"};
  found.file_bytes = file.bytes();
  std::optional<projection_state> state;
  bool has_state = false;
  auto result = check_steadily(file, [&](const page_snapshot& seen, environment_check&) {
    state.reset();
    found.rows = 0;
    std::uint64_t rows[projection_banks]{};
    page_cursor main{file, seen, seen.main};
    for (bool more = main.first(); more; more = main.next()) {
      std::string_view name{reinterpret_cast<const char*>(main.key().data()), main.key().size()};
      auto tree = main.tree();
      if (!tree)
        continue;
      if (name.starts_with("a.") || name.starts_with("b."))
        rows[name[0] - 'a'] += tree->entries;
      if (name != projection_table_name)
        continue;
      auto key = std::as_bytes(std::span{projection_state_key});
      page_cursor states{file, seen, *tree};
      has_state = states.seek(key) && std::ranges::equal(states.key(), key);
      if (has_state)
        expect_format(states.value(), projection_format, "it");
      state = has_state ? decode_projection_state(states.value()) : std::nullopt;
    }
    if (state)
      found.rows = rows[state->bank];
  });
  if (!result.problem.empty())
    found.problem = "it is damaged: " + result.problem;
  else if (result.overtaken)
    found.problem = "a node writes it too quickly to be looked at";
  else if (has_state && !state)
    found.problem = "it is damaged: its state does not fit its checksum";
  auto last = journal.state().last_position;
  found.checkpoint = state ? state->checkpoint : 0;
  found.behind = last > found.checkpoint ? last - found.checkpoint : 0;
  found.fits_journal = state && state->epoch == journal.meta().epoch;
  return found;
}

}  // namespace

result<std::vector<stored_projection>, storage_error> stored_projections(const path& data) {
  try {
    std::vector<stored_projection> all;
    auto folders = environments_in(data / "projections");
    for (const auto& folder : folders) {
      // Anew for each: the journal is not far behind what is looked at.
      journal_pages journal{data / "journal"};
      try {
        all.push_back(look_at(folder, journal));
      } catch (const page_file_error& unreadable) {
        all.push_back({.name = folder.filename().string(), .problem = unreadable.what()});
      } catch (const other_format& unreadable) {
        all.push_back({.name = folder.filename().string(), .problem = unreadable.error().text});
      }
    }
    if (folders.empty())
      (void)journal_pages{data / "journal"};
    return all;
  } catch (const storage_exception& error) {
    return error.error();
  } catch (const std::filesystem::filesystem_error& error) {
    return unreadable_folder(error);
  } catch (const std::exception& error) {
    return storage_error{storage_error_kind::unusable, "cannot look at the projections in " +
                                                           data.string() + ": " + error.what()};
  }
}

result<void, storage_error> drop_projection(const path& data, std::string_view name) {
  return change_folder(data, "projection", name,
                       [](const path& folder) { std::filesystem::remove_all(folder); });
}

result<void, storage_error> mark_for_rebuild(const path& data, std::string_view name) {
  return change_folder(data, "projection", name, [](const path& folder) {
    auto mark = folder / rebuild_mark;
    int file = ::open(mark.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    if (file < 0)
      throw std::system_error{errno, std::generic_category()};
    ::close(file);
  });
}

}  // namespace microlith
