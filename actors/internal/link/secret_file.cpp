#include <microlith/actors/internal/link/proof.hpp>
#include <microlith/actors/internal/link/secret_file.hpp>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <string_view>
#include <system_error>

namespace microlith::internal {

namespace {

constexpr std::size_t secret_bytes = 32;
constexpr std::size_t text_bytes = 2 * secret_bytes + 1;

std::string words(int error) {
  return std::generic_category().message(error);
}

/// Beside the file, then linked to its name: nobody ever sees half a secret, and nobody's secret
/// is replaced.
int make(const std::filesystem::path& file) {
  std::byte random[secret_bytes + 8];
  fill_with_random(random);
  std::string hex;
  for (auto byte : random)
    for (int shift : {4, 0})
      hex += "0123456789abcdef"[(static_cast<unsigned>(byte) >> shift) & 15U];
  auto beside = file;
  beside += '.';
  beside += hex.substr(2 * secret_bytes);
  secret<std::string> text{hex.substr(0, 2 * secret_bytes) + "\n"};
  wipe(random, sizeof random);
  wipe(hex.data(), hex.size());
  int made = ::open(beside.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
  if (made < 0)
    return errno;
  int error = 0;
  const auto& bytes = text.reveal();
  if (::write(made, bytes.data(), bytes.size()) != static_cast<ssize_t>(bytes.size()) ||
      ::fsync(made) != 0)
    error = errno;
  ::close(made);
  if (error == 0 && ::link(beside.c_str(), file.c_str()) != 0 && errno != EEXIST)
    error = errno;
  ::unlink(beside.c_str());
  return error;
}

}  // namespace

result<secret<std::string>, storage_error> read_or_make_secret(const std::filesystem::path& file) {
  auto unusable = [&](const std::string& why, const std::string& remedy) {
    return storage_error{
        storage_error_kind::unusable,
        "cannot use the secret of links in " + file.string() + ": " + why + ". " + remedy};
  };
  auto open = [&] { return ::open(file.c_str(), O_RDONLY | O_NOFOLLOW | O_CLOEXEC); };
  int opened = open();
  if (opened < 0 && errno == ENOENT) {
    if (int error = make(file))
      return unusable("it cannot be made: " + words(error),
                      "Name a file in a directory that this user may write to");
    opened = open();
  }
  if (opened < 0)
    return unusable(words(errno), "Name a file of this user, no link");
  struct stat about {};
  struct wiped {
    char bytes[text_bytes + 1];
    ~wiped() { wipe(bytes, sizeof bytes); }
  } text{};
  int error = ::fstat(opened, &about) != 0 ? errno : 0;
  auto got = ::read(opened, text.bytes, sizeof text.bytes);
  ::close(opened);
  if (error != 0 || got < 0)
    return unusable("it cannot be read", "Check its permissions");
  if (!S_ISREG(about.st_mode) || about.st_uid != ::geteuid() || (about.st_mode & 077) != 0)
    return unusable("others may read it", "It must be a file of this user with mode 0600");
  if (got != static_cast<ssize_t>(text_bytes) ||
      std::string_view{text.bytes, text_bytes}.find_first_not_of("0123456789abcdef") !=
          2 * secret_bytes)
    return unusable("it does not hold a secret", "Remove it, and the next node makes a new one");
  return secret<std::string>{std::string(text.bytes, 2 * secret_bytes)};
}

}  // namespace microlith::internal
