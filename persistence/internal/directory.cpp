#include <microlith/persistence/internal/directory.hpp>

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>

namespace microlith::internal {

namespace {

// Some file systems do not sync directories, and need not.
bool is_failure(int code) {
  return code == EIO || code == ENOSPC || code == EDQUOT;
}

}  // namespace

void make_directory(const std::filesystem::path& directory) {
  // One that is there keeps its mode: somebody may mean it.
  if (std::filesystem::create_directories(directory))
    std::filesystem::permissions(directory, std::filesystem::perms::owner_all);
}

void sync_names(const std::filesystem::path& directory) {
  auto at = std::filesystem::absolute(directory).lexically_normal();
  for (;;) {
    int file = ::open(at.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (file >= 0) {
      int code = ::fsync(file) == 0 ? 0 : errno;
      ::close(file);
      if (is_failure(code))
        throw std::filesystem::filesystem_error{"sync a directory", at,
                                                std::error_code{code, std::generic_category()}};
    }
    if (at == at.root_path() || !at.has_parent_path())
      return;
    at = at.parent_path();
  }
}

}  // namespace microlith::internal
