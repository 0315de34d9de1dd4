#include <microlith/persistence/backup.hpp>
#include <microlith/persistence/internal/data_folder.hpp>
#include <microlith/persistence/internal/directory.hpp>
#include <microlith/persistence/internal/journal_copy.hpp>
#include <microlith/persistence/internal/subscription_copy.hpp>
#include <microlith/persistence/owner.hpp>
#include <microlith/persistence/subscription_store.hpp>

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <fstream>
#include <iterator>
#include <optional>
#include <string>
#include <system_error>
#include <vector>

namespace microlith {

namespace {

using namespace internal;
using path = std::filesystem::path;

/// A folder that is there as long as the object.
class unfinished_folder {
 public:
  explicit unfinished_folder(path folder) : folder_{std::move(folder)} {
    std::filesystem::remove_all(folder_);
    make_directory(folder_);
  }
  unfinished_folder(const unfinished_folder&) = delete;
  unfinished_folder& operator=(const unfinished_folder&) = delete;
  ~unfinished_folder() {
    std::error_code ignored;
    std::filesystem::remove_all(folder_, ignored);
  }

  [[nodiscard]] const path& place() const { return folder_; }

 private:
  path folder_;
};

template <class F>
result<copy_report, storage_error> copying(const std::string& attempted, F f) {
  auto problem = [&](storage_error_kind kind, const std::string& why) {
    auto room = kind == storage_error_kind::full ? ". Make room, or name another place" : "";
    return storage_error{kind, attempted + ": " + why + room};
  };
  try {
    return f();
  } catch (const storage_exception& error) {
    auto inner = error.error();
    inner.text = attempted + ": " + inner.text;
    return inner;
  } catch (const lmdb_error& error) {
    return problem(error.out_of_space()  ? storage_error_kind::full
                   : error.code() == EIO ? storage_error_kind::io
                                         : storage_error_kind::unusable,
                   error.what());
  } catch (const std::filesystem::filesystem_error& error) {
    bool full = error.code() == std::errc::no_space_on_device;
    bool closed = error.code() == std::errc::permission_denied;
    return problem(full ? storage_error_kind::full : storage_error_kind::unusable,
                   error.path1().string() + ": " + error.code().message() +
                       (closed ? ". Mend its permissions, or be its owner" : ""));
  } catch (const std::exception& error) {
    return problem(storage_error_kind::unusable, error.what());
  }
}

bool is_application_file(const std::filesystem::directory_entry& entry) {
  std::error_code error;
  auto name = entry.path().filename().string();
  return entry.symlink_status(error).type() == std::filesystem::file_type::regular &&
         name != data_owner::file_name && !name.starts_with('.');
}

/// By name.
std::vector<path> application_files(const path& data) {
  std::vector<path> found;
  for (const auto& entry : std::filesystem::directory_iterator{data}) {
    if (is_application_file(entry))
      found.push_back(entry.path());
  }
  std::sort(found.begin(), found.end());
  return found;
}

/// False where it has gone meanwhile.
bool copy_durably(const path& from, const path& to) {
  std::error_code error;
  if (!std::filesystem::copy_file(from, to, error)) {
    if (error == std::errc::no_such_file_or_directory)
      return false;
    throw std::filesystem::filesystem_error{"copy a file", from, error};
  }
  std::filesystem::permissions(
      to, std::filesystem::perms::owner_read | std::filesystem::perms::owner_write);
  int file = ::open(to.c_str(), O_RDONLY | O_CLOEXEC);
  int code = file >= 0 && ::fsync(file) == 0 ? 0 : errno;
  if (file >= 0)
    ::close(file);
  if (code != 0)
    throw std::filesystem::filesystem_error{"sync a file", to,
                                            std::error_code{code, std::generic_category()}};
  return true;
}

bool same_content(const path& a, const path& b) {
  auto content = [](const path& file) {
    std::ifstream in{file, std::ios::binary};
    return std::string{std::istreambuf_iterator<char>{in}, {}};
  };
  std::error_code error;
  return std::filesystem::file_size(a, error) == std::filesystem::file_size(b, error) &&
         content(a) == content(b);
}

std::vector<std::string> subscriptions_with_files(const path& data) {
  std::vector<std::string> names;
  for (const auto& folder : environments_in(data / "subscriptions"))
    names.push_back(folder.filename().string());
  return names;
}

/// Everything of a data directory that cannot be derived, in a folder, and from there in its place:
/// the journal is the last to come, and tells that all of it is there.
class data_copy {
 public:
  explicit data_copy(path from) : from_{std::move(from)}, journal_{from_} {}

  [[nodiscard]] message_id epoch() const { return journal_.epoch(); }

  [[nodiscard]] copy_report write(const path& folder, message_id epoch,
                                  const copy_progress& progress) {
    make_directory(folder / "files");
    std::uint64_t files = 0;
    for (const auto& file : application_files(from_))
      files += copy_durably(file, folder / "files" / file.filename()) ? 1U : 0U;
    sync_names(folder / "files");
    // Before the end of the journal is looked at: no checkpoint is ahead of it then.
    std::uint64_t subscriptions = 0;
    for (const auto& name : subscriptions_with_files(from_)) {
      copy_subscription(from_ / "subscriptions" / name, folder / "subscriptions" / name,
                        journal_.epoch(), epoch);
      ++subscriptions;
    }
    auto report = journal_.write(folder / "journal", epoch, progress);
    report.subscriptions = subscriptions;
    report.files = files;
    return report;
  }

  static void move(const path& folder, const path& to) {
    for (const auto& file : application_files(folder / "files")) {
      if (!std::filesystem::exists(to / file.filename()))
        std::filesystem::rename(file, to / file.filename());
    }
    for (const auto& name : subscriptions_in(folder)) {
      make_directory(to / "subscriptions");
      std::filesystem::rename(folder / "subscriptions" / name, to / "subscriptions" / name);
    }
    if (std::filesystem::exists(to / "subscriptions"))
      sync_names(to / "subscriptions");
    sync_names(to);
    std::filesystem::rename(folder / "journal", to / "journal");
    sync_names(to);
  }

  /// What a copy must not overwrite in a directory; empty where there is nothing.
  [[nodiscard]] std::optional<path> in_the_way(const path& to) const {
    if (std::filesystem::exists(to / "journal"))
      return to / "journal";
    for (const auto& name : subscriptions_with_files(from_)) {
      if (std::filesystem::exists(to / "subscriptions" / name))
        return to / "subscriptions" / name;
    }
    for (const auto& file : application_files(from_)) {
      auto other = to / file.filename();
      if (std::filesystem::exists(other) && !same_content(file, other))
        return other;
    }
    return std::nullopt;
  }

 private:
  path from_;
  journal_copy journal_;
};

}  // namespace

result<copy_report, storage_error> back_up(const path& data, const path& to,
                                           const copy_progress& progress) {
  auto attempted = "cannot back up " + data.string() + " to " + to.string();
  return copying(attempted, [&]() -> result<copy_report, storage_error> {
    if (std::filesystem::exists(to) &&
        (!std::filesystem::is_directory(to) || !std::filesystem::is_empty(to)))
      return storage_error{storage_error_kind::unusable,
                           attempted + ": there is something already. Name a new directory"};
    // First, so that a directory without a journal leaves no trace.
    data_copy copy{data};
    bool made = !std::filesystem::exists(to);
    make_directory(to);
    try {
      unfinished_folder folder{to / "backup.unfinished"};
      auto report = copy.write(folder.place(), copy.epoch(), progress);
      data_copy::move(folder.place(), to);
      return report;
    } catch (...) {
      std::error_code ignored;
      if (made)
        std::filesystem::remove(to, ignored);
      throw;
    }
  });
}

result<copy_report, storage_error> restore(const path& from, const path& data,
                                           const copy_progress& progress) {
  auto attempted = "cannot restore " + from.string() + " to " + data.string();
  return copying(attempted, [&]() -> result<copy_report, storage_error> {
    data_copy copy{from};
    auto refused = [&]() -> std::optional<storage_error> {
      auto other = copy.in_the_way(data);
      if (!other)
        return std::nullopt;
      return storage_error{storage_error_kind::unusable,
                           attempted + ": there is " + other->string() +
                               " already, and it is not overwritten. Move it away, or name another "
                               "directory"};
    };
    if (auto why = refused())
      return *why;
    auto owner = data_owner::acquire(data);
    if (!owner)
      return owner.error();
    // A node may have come and gone before the directory was ours.
    if (auto why = refused())
      return *why;
    unfinished_folder folder{data / "restore.unfinished"};
    auto report = copy.write(folder.place(), message_id::make(), progress);
    data_copy::move(folder.place(), data);
    return report;
  });
}

}  // namespace microlith
