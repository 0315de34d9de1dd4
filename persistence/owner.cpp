#include <microlith/persistence/owner.hpp>

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <string>
#include <system_error>
#include <utility>

namespace microlith {

namespace {

std::string process_in(int file) {
  char text[32]{};
  auto got = ::pread(file, text, sizeof text - 1, 0);
  auto pid = got > 0 ? std::strtol(text, nullptr, 10) : 0;
  return pid > 0 ? "process " + std::to_string(pid) : "another process";
}

}  // namespace

result<data_owner, storage_error> data_owner::acquire(const std::filesystem::path& directory) {
  auto unusable = [&](const std::string& why) {
    return storage_error{storage_error_kind::unusable,
                         "cannot use the data directory " + directory.string() + ": " + why +
                             ". Name one that this user may write to"};
  };
  std::error_code error;
  bool made = std::filesystem::create_directories(directory, error);
  if (!error && made)
    std::filesystem::permissions(directory, std::filesystem::perms::owner_all, error);
  if (error)
    return unusable(error.message());
  auto path = directory / file_name;
  int file = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  if (file < 0)
    return unusable("cannot open " + path.string() + ": " + std::generic_category().message(errno));
  if (::flock(file, LOCK_EX | LOCK_NB) != 0) {
    int why = errno;
    auto owner = process_in(file);
    ::close(file);
    if (why != EWOULDBLOCK && why != EINTR)
      return unusable(std::generic_category().message(why));
    return storage_error{storage_error_kind::owned,
                         "the data directory " + directory.string() + " is in use by " + owner +
                             ": stop it first, or name another directory"};
  }
  auto text = std::to_string(::getpid()) + "\n";
  if (::ftruncate(file, 0) != 0 ||
      ::pwrite(file, text.data(), text.size(), 0) != static_cast<ssize_t>(text.size())) {
    int why = errno;
    ::close(file);
    return unusable("cannot write to " + path.string() + ": " +
                    std::generic_category().message(why));
  }
  return data_owner{file};
}

data_owner::data_owner(data_owner&& other) noexcept : file_{std::exchange(other.file_, -1)} {}

data_owner& data_owner::operator=(data_owner&& other) noexcept {
  std::swap(file_, other.file_);
  return *this;
}

data_owner::~data_owner() {
  if (file_ >= 0)
    ::close(file_);
}

}  // namespace microlith
