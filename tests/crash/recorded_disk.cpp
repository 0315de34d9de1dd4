#include "crash/recorded_disk.hpp"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdarg>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <map>
#include <mutex>
#include <optional>
#include <span>
#include <string_view>
#include <utility>

namespace microlith::test {

namespace {

struct open_file {
  std::uint64_t node = 0;
  std::string path;
  bool writes_through = false;  // O_DSYNC
  bool is_directory = false;
};

class recorder {
 public:
  using kind = disk_operation::kind;

  void start(const std::string& root) {
    // Nothing is recorded while what is there is read.
    stop();
    std::vector<std::filesystem::path> found;
    for (const auto& entry : std::filesystem::recursive_directory_iterator{root})
      found.push_back(entry.path());
    std::sort(found.begin(), found.end());  // a directory before what lies in it
    files_.clear();
    live_ = {{"", 1}};
    next_node_ = 2;
    for (const auto& path : found) {
      if (auto name = below(root, path.string()))
        take_as_durable(path, *name);
    }
    std::lock_guard lock{mutex_};
    root_ = root;
  }

  std::vector<disk_operation> stop() {
    std::lock_guard lock{mutex_};
    root_.clear();
    return std::exchange(operations_, {});
  }

  void mark(std::uint64_t value) {
    std::lock_guard lock{mutex_};
    operations_.push_back({.what = kind::mark, .offset = value});
  }

  void opened(int file, std::string_view path, int flags) {
    std::lock_guard lock{mutex_};
    files_.erase(file);  // the system may have closed it unseen
    auto name = watched(path);
    if (!name)
      return;
    auto node = live_.find(*name);
    if (node == live_.end()) {
      if ((flags & O_CREAT) == 0)
        unexpected("a file that was never made was opened");
      node = live_.emplace(*name, next_node_++).first;
      operations_.push_back({.what = kind::link, .node = node->second, .path = *name});
    } else if ((flags & O_TRUNC) != 0) {
      operations_.push_back({.what = kind::resize, .node = node->second, .offset = 0});
    }
    struct stat status {};
    bool is_directory = ::fstat(file, &status) == 0 && S_ISDIR(status.st_mode);
    files_[file] = {node->second, *name, (flags & (O_DSYNC | O_SYNC)) != 0, is_directory};
  }

  void closed(int file) {
    std::lock_guard lock{mutex_};
    files_.erase(file);
  }

  /// `parts` were written at `offset`, `length` bytes in all.
  void written(int file, const iovec* parts, int count, std::uint64_t offset, ssize_t length) {
    std::lock_guard lock{mutex_};
    const auto* at = find(file);
    if (at == nullptr || length <= 0)
      return;
    disk_operation write{.what = kind::write, .node = at->node, .offset = offset};
    auto left = static_cast<std::size_t>(length);
    for (int i = 0; i < count && left > 0; ++i) {
      auto size = std::min(left, parts[i].iov_len);
      const auto* data = static_cast<const std::byte*>(parts[i].iov_base);
      write.data.insert(write.data.end(), data, data + size);
      left -= size;
    }
    operations_.push_back(std::move(write));
    if (at->writes_through)
      operations_.push_back({.what = kind::sync_written,
                             .node = at->node,
                             .offset = offset,
                             .length = static_cast<std::uint64_t>(length)});
  }

  void resized(int file, std::uint64_t size) {
    std::lock_guard lock{mutex_};
    if (const auto* at = find(file))
      operations_.push_back({.what = kind::resize, .node = at->node, .offset = size});
  }

  void synced(int file) {
    std::lock_guard lock{mutex_};
    const auto* at = find(file);
    if (at == nullptr)
      return;
    if (at->is_directory)
      operations_.push_back({.what = kind::sync_directory, .path = at->path});
    else
      operations_.push_back({.what = kind::sync, .node = at->node});
  }

  void made_directory(std::string_view path) {
    std::lock_guard lock{mutex_};
    auto name = watched(path);
    if (!name)
      return;
    live_[*name] = next_node_;
    operations_.push_back(
        {.what = kind::link, .node = next_node_++, .path = *name, .is_directory = true});
  }

  void unlinked(std::string_view path) {
    std::lock_guard lock{mutex_};
    auto name = watched(path);
    if (!name)
      return;
    live_.erase(*name);
    operations_.push_back({.what = kind::unlink, .path = *name});
  }

  void renamed(std::string_view from, std::string_view to) {
    std::lock_guard lock{mutex_};
    auto old_name = watched(from);
    auto new_name = watched(to);
    if (!old_name || !new_name)
      return;
    auto node = live_.at(*old_name);
    live_.erase(*old_name);
    live_[*new_name] = node;
    operations_.push_back({.what = kind::link, .node = node, .path = *new_name});
    operations_.push_back({.what = kind::unlink, .path = *old_name});
  }

  [[nodiscard]] bool is_recorded(int file) {
    std::lock_guard lock{mutex_};
    return find(file) != nullptr;
  }

  [[noreturn]] static void unexpected(const char* what) {
    std::fprintf(stderr, "the recording would not be complete: %s\n", what);
    std::abort();
  }

 private:
  void take_as_durable(const std::filesystem::path& path, const std::string& name) {
    auto node = next_node_++;
    live_[name] = node;
    bool is_directory = std::filesystem::is_directory(path);
    operations_.push_back(
        {.what = kind::link, .node = node, .path = name, .is_directory = is_directory});
    operations_.push_back(
        {.what = kind::sync_directory, .path = std::filesystem::path{name}.parent_path().string()});
    if (is_directory)
      return;
    std::ifstream in{path, std::ios::binary};
    constexpr std::uint64_t block_bytes = 4096;
    std::vector<char> block(block_bytes);
    for (std::uint64_t at = 0; in; at += block_bytes) {
      in.read(block.data(), static_cast<std::streamsize>(block.size()));
      auto size = static_cast<std::size_t>(in.gcount());
      if (std::all_of(block.begin(), block.begin() + in.gcount(), [](char c) { return c == 0; }))
        continue;
      auto bytes = std::as_bytes(std::span{block.data(), size});
      operations_.push_back(
          {.what = kind::write, .node = node, .offset = at, .data = {bytes.begin(), bytes.end()}});
    }
    operations_.push_back(
        {.what = kind::resize, .node = node, .offset = std::filesystem::file_size(path)});
    operations_.push_back({.what = kind::sync, .node = node});
  }

  [[nodiscard]] const open_file* find(int file) const {
    auto found = files_.find(file);
    return found == files_.end() ? nullptr : &found->second;
  }

  [[nodiscard]] std::optional<std::string> watched(std::string_view path) const {
    return below(root_, path);
  }

  [[nodiscard]] static std::optional<std::string> below(std::string_view root,
                                                        std::string_view path) {
    if (root.empty() || !path.starts_with(root) || path.ends_with("/lock.mdb"))
      return std::nullopt;
    path.remove_prefix(root.size());
    while (path.starts_with('/'))
      path.remove_prefix(1);
    while (path.ends_with('/'))
      path.remove_suffix(1);
    return std::string{path};
  }

  std::mutex mutex_;
  std::string root_;
  std::vector<disk_operation> operations_;
  std::map<int, open_file> files_;
  std::map<std::string, std::uint64_t, std::less<>> live_;
  std::uint64_t next_node_ = 2;
};

recorder& the_recorder() {
  static auto* one = new recorder;  // files are closed until the very end
  return *one;
}

std::string path_at(int directory, const char* name) {
  if (directory == AT_FDCWD || name[0] == '/')
    return name;
  char path[4096];
  auto size = ::readlink(("/proc/self/fd/" + std::to_string(directory)).c_str(), path, sizeof path);
  return std::string{path, size > 0 ? static_cast<std::size_t>(size) : 0} + '/' + name;
}

mode_t mode_of(int flags, va_list arguments) {
  return (flags & (O_CREAT | O_TMPFILE)) != 0 ? static_cast<mode_t>(va_arg(arguments, int)) : 0;
}

int open_at(int directory, const char* path, int flags, mode_t mode) {
  auto file = static_cast<int>(::syscall(SYS_openat, directory, path, flags, mode));
  if (file >= 0)
    the_recorder().opened(file, path_at(directory, path), flags);
  return file;
}

}  // namespace

void start_recording(const std::filesystem::path& root) {
  the_recorder().start(root.string());
}

void add_mark(std::uint64_t value) {
  the_recorder().mark(value);
}

std::vector<disk_operation> stop_recording() {
  return the_recorder().stop();
}

}  // namespace microlith::test

// The system's functions, in front of the real ones: a program's own definitions come first,
// wherever they are called from.

using microlith::test::open_at;
using microlith::test::recorder;
using microlith::test::the_recorder;

extern "C" {

int open(const char* path, int flags, ...) {
  va_list arguments;
  va_start(arguments, flags);
  auto mode = microlith::test::mode_of(flags, arguments);
  va_end(arguments);
  return open_at(AT_FDCWD, path, flags, mode);
}

int open64(const char* path, int flags, ...) {
  va_list arguments;
  va_start(arguments, flags);
  auto mode = microlith::test::mode_of(flags, arguments);
  va_end(arguments);
  return open_at(AT_FDCWD, path, flags, mode);
}

int openat(int directory, const char* path, int flags, ...) {
  va_list arguments;
  va_start(arguments, flags);
  auto mode = microlith::test::mode_of(flags, arguments);
  va_end(arguments);
  return open_at(directory, path, flags, mode);
}

int close(int file) {
  the_recorder().closed(file);
  return static_cast<int>(::syscall(SYS_close, file));
}

ssize_t pwrite(int file, const void* data, size_t size, off_t offset) {
  auto length = ::syscall(SYS_pwrite64, file, data, size, offset);
  iovec part{const_cast<void*>(data), size};
  the_recorder().written(file, &part, 1, static_cast<std::uint64_t>(offset), length);
  return length;
}

ssize_t pwritev(int file, const iovec* parts, int count, off_t offset) {
  auto length = ::syscall(SYS_pwritev, file, parts, count, offset, 0);
  the_recorder().written(file, parts, count, static_cast<std::uint64_t>(offset), length);
  return length;
}

ssize_t writev(int file, const iovec* parts, int count) {
  auto offset = ::lseek(file, 0, SEEK_CUR);
  auto length = ::syscall(SYS_writev, file, parts, count);
  the_recorder().written(file, parts, count, static_cast<std::uint64_t>(offset), length);
  return length;
}

ssize_t write(int file, const void* data, size_t size) {
  auto offset = ::lseek(file, 0, SEEK_CUR);
  auto length = ::syscall(SYS_write, file, data, size);
  iovec part{const_cast<void*>(data), size};
  the_recorder().written(file, &part, 1, static_cast<std::uint64_t>(offset), length);
  return length;
}

int ftruncate(int file, off_t size) noexcept {
  auto code = static_cast<int>(::syscall(SYS_ftruncate, file, size));
  if (code == 0)
    the_recorder().resized(file, static_cast<std::uint64_t>(size));
  return code;
}

int fallocate(int file, int mode, off_t offset, off_t size) {
  if (the_recorder().is_recorded(file))
    recorder::unexpected("fallocate");
  return static_cast<int>(::syscall(SYS_fallocate, file, mode, offset, size));
}

int posix_fallocate(int file, off_t offset, off_t size) {
  return fallocate(file, 0, offset, size) == 0 ? 0 : errno;
}

int fdatasync(int file) {
  the_recorder().synced(file);
  return 0;
}

int fsync(int file) {
  the_recorder().synced(file);
  return 0;
}

void* mmap(void* address, size_t size, int protection, int flags, int file, off_t offset) noexcept {
  if (file >= 0 && (protection & PROT_WRITE) != 0 && (flags & MAP_SHARED) != 0 &&
      the_recorder().is_recorded(file))
    recorder::unexpected("a file is mapped to be written through memory");
  // NOLINTNEXTLINE(performance-no-int-to-ptr): what the call gives is an address.
  return reinterpret_cast<void*>(
      ::syscall(SYS_mmap, address, size, protection, flags, file, offset));
}

int mkdir(const char* path, mode_t mode) noexcept {
  auto code = static_cast<int>(::syscall(SYS_mkdirat, AT_FDCWD, path, mode));
  if (code == 0)
    the_recorder().made_directory(path);
  return code;
}

int unlinkat(int directory, const char* path, int flags) noexcept {
  auto code = static_cast<int>(::syscall(SYS_unlinkat, directory, path, flags));
  if (code == 0)
    the_recorder().unlinked(microlith::test::path_at(directory, path));
  return code;
}

int unlink(const char* path) noexcept {
  return unlinkat(AT_FDCWD, path, 0);
}

int rmdir(const char* path) noexcept {
  return unlinkat(AT_FDCWD, path, AT_REMOVEDIR);
}

int remove(const char* path) noexcept {
  int code = unlinkat(AT_FDCWD, path, 0);
  return code != 0 && (errno == EISDIR || errno == EPERM) ? rmdir(path) : code;
}

int rename(const char* from, const char* to) noexcept {
  auto code = static_cast<int>(::syscall(SYS_renameat, AT_FDCWD, from, AT_FDCWD, to));
  if (code == 0)
    the_recorder().renamed(from, to);
  return code;
}

}  // extern "C"
