#include <microlith/persistence/internal/data_folder.hpp>
#include <microlith/persistence/internal/journal_pages.hpp>
#include <microlith/persistence/internal/lmdb.hpp>
#include <microlith/persistence/owner.hpp>

#include <algorithm>
#include <optional>
#include <string>
#include <system_error>

namespace microlith::internal {

using path = std::filesystem::path;

namespace {

// What lies beside such a journal is of that version, too. A journal that cannot be read for
// another reason is in nobody's way here.
std::optional<storage_error> of_another_version(const path& data) {
  try {
    journal_pages journal{data / "journal"};
  } catch (const other_format& error) {
    return error.error();
  } catch (const std::exception&) {
  }
  return std::nullopt;
}

}  // namespace

std::vector<path> environments_in(const path& directory) {
  auto check = [](const path& place, const std::error_code& error) {
    if (error)
      throw std::filesystem::filesystem_error{"look at a folder", place, error};
  };
  std::vector<path> found;
  std::error_code error;
  std::filesystem::directory_iterator at{directory, error};
  if (error == std::errc::no_such_file_or_directory)
    return found;
  check(directory, error);
  for (; at != std::filesystem::directory_iterator{};
       at.increment(error), check(directory, error)) {
    if (std::filesystem::exists(at->path() / "data.mdb", error))
      found.push_back(at->path());
    check(at->path(), error);
  }
  std::sort(found.begin(), found.end());
  return found;
}

storage_error unreadable_folder(const std::filesystem::filesystem_error& error) {
  return {storage_error_kind::unusable, "cannot look into " + error.path1().string() + ": " +
                                            error.code().message() +
                                            ". Mend its permissions, or be its owner"};
}

result<path, storage_error> folder_of(const path& data, std::string_view group,
                                      std::string_view name) {
  auto folder = data / (std::string{group} + 's') / name;
  bool plain = !name.empty() && name.find('/') == std::string_view::npos && name != "." &&
               name != ".." && name.find('\0') == std::string_view::npos;
  std::error_code error;
  if (plain && std::filesystem::is_directory(folder, error) &&
      !std::filesystem::is_symlink(folder, error))
    return folder;
  return storage_error{storage_error_kind::unusable, "there is no " + std::string{group} +
                                                         " of that name in " + data.string() +
                                                         "; `microlith " + std::string{group} +
                                                         " ls` lists those that are there"};
}

result<void, storage_error> change_folder(const path& data, std::string_view group,
                                          std::string_view name,
                                          function_ref<void(const path&)> change) {
  auto folder = folder_of(data, group, name);
  if (!folder)
    return folder.error();
  if (auto why = of_another_version(data))
    return *why;
  auto owner = data_owner::acquire(data);
  if (!owner)
    return owner.error();
  auto refuse = [&](storage_error_kind kind, const std::string& why) {
    return storage_error{kind, "cannot change " + folder->string() + ": " + why};
  };
  try {
    change(*folder);
    return {};
  } catch (const storage_exception& error) {
    return error.error();
  } catch (const lmdb_error& error) {
    bool full = error.out_of_space();
    return refuse(full ? storage_error_kind::full : storage_error_kind::unusable,
                  error.what() + std::string{full ? ". Make room, and try again"
                                                  : ". Mend its permissions, or be its owner"});
  } catch (const std::system_error& error) {
    return refuse(storage_error_kind::unusable,
                  error.code().message() + ". Mend its permissions, or be its owner");
  }
}

}  // namespace microlith::internal
