#include <microlith/persistence/internal/data_file.hpp>
#include <microlith/persistence/internal/environment_check.hpp>
#include <microlith/persistence/internal/opening_check.hpp>
#include <microlith/persistence/internal/page_guard.hpp>

#include <algorithm>
#include <span>
#include <system_error>

namespace microlith::internal {

namespace {

void look_at_table(const page_file& file, const page_snapshot& seen, const page_tree& tree,
                   bool only_its_end, environment_check& taken) {
  if (tree.flags != 0)
    throw page_error{"a table is of another kind than it was made"};
  page_cursor end{file, seen, tree, &taken};
  (void)end.last();
  if (only_its_end || tree.pages() > small_table_pages)
    return;
  page_cursor all{file, seen, tree};
  for (bool more = all.first(); more; more = all.next())
    (void)all.value();
}

}  // namespace

std::string opening_problem(const std::filesystem::path& data_file,
                            std::string_view read_with_care) {
  auto careful = std::as_bytes(std::span{read_with_care.data(), read_with_care.size()});
  page_file file{data_file};
  auto seen = file.look();
  if (!seen)
    return "neither meta page is one";
  try {
    if (seen->main.flags != 0)
      throw page_error{"the main table is of another kind than it was made"};
    environment_check taken{file, *seen};
    page_cursor main{file, *seen, seen->main, &taken};
    for (bool more = main.first(); more; more = main.next()) {
      if (auto tree = main.tree())
        look_at_table(file, *seen, *tree, std::ranges::equal(main.key(), careful), taken);
      else
        (void)main.value();
    }
    // No page that is on the ways above may be free, too.
    taken.walk_free();
  } catch (const page_error& error) {
    return error.what();
  }
  return {};
}

bool can_be_mapped(const std::filesystem::path& directory) {
  auto file = directory / "data.mdb";
  std::error_code ignored;
  if (std::filesystem::exists(directory / damage_mark, ignored))
    return false;
  try {
    return !inspect_data_file(file) || opening_problem(file).empty();
  } catch (const page_file_error&) {
    // LMDB finds words for it.
    return true;
  } catch (const std::filesystem::filesystem_error&) {
    return true;
  }
}

}  // namespace microlith::internal
