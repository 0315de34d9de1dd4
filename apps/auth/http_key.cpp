#include "auth/http_key.hpp"

#include "auth/token.hpp"

#include <fcntl.h>
#include <sodium.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <optional>
#include <stdexcept>
#include <system_error>

namespace auth {

namespace {

using microlith::storage_error;
using microlith::storage_error_kind;
using std::filesystem::path;

class descriptor {
 public:
  explicit descriptor(int number) : number_{number} {}
  descriptor(const descriptor&) = delete;
  descriptor& operator=(const descriptor&) = delete;
  ~descriptor() {
    if (is_open())
      ::close(number_);
  }
  [[nodiscard]] bool is_open() const { return number_ >= 0; }
  [[nodiscard]] int number() const { return number_; }

 private:
  int number_;
};

std::string reason(int code) {
  return std::generic_category().message(code);
}

storage_error damaged(const path& file, const std::string& what) {
  return {storage_error_kind::damaged,
          "cannot use the key file " + file.string() + ": " + what +
              ". Put it back from a backup; or delete it, and registrations that are repeated "
              "from before then are taken for new ones"};
}

storage_error unusable(const std::string& attempt, const path& file, int code) {
  return {storage_error_kind::unusable,
          "cannot " + attempt + ' ' + file.string() + ": " + reason(code) +
              ". Make it accessible to the user that runs this, or name another data directory"};
}

// Another name first: whoever sees the file sees all of it.
std::optional<storage_error> make_file(const path& file) {
  auto draft = file;
  draft += '.' + make_token();
  std::array<unsigned char, http_key::size_bytes> random{};
  randombytes_buf(random.data(), random.size());
  {
    const descriptor made{::open(draft.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600)};
    if (!made.is_open())
      return unusable("make the key file", file, errno);
    errno = ENOSPC;  // of a write that is short without a reason
    if (::write(made.number(), random.data(), random.size()) !=
            static_cast<ssize_t>(random.size()) ||
        ::fsync(made.number()) != 0) {
      auto code = errno;
      ::unlink(draft.c_str());
      return unusable("write the key file", file, code);
    }
  }
  sodium_memzero(random.data(), random.size());
  auto code = ::link(draft.c_str(), file.c_str()) == 0 ? 0 : errno;
  ::unlink(draft.c_str());
  if (code != 0 && code != EEXIST)
    return unusable("make the key file", file, code);
  return std::nullopt;
}

std::optional<storage_error> sync_directory(const path& directory) {
  const descriptor opened{::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)};
  if (!opened.is_open())
    return unusable("open the directory", directory, errno);
  // Some file systems do not sync directories, and need not.
  if (::fsync(opened.number()) != 0 && (errno == EIO || errno == ENOSPC || errno == EDQUOT))
    return unusable("sync the directory", directory, errno);
  return std::nullopt;
}

}  // namespace

http_key http_key::make() {
  if (sodium_init() < 0)
    throw std::runtime_error{"cannot start libsodium: no source of random bytes"};
  http_key key;
  randombytes_buf(key.bytes_.data(), key.bytes_.size());
  return key;
}

microlith::result<http_key, storage_error> http_key::open(const path& data) {
  auto key = make();
  auto file = data / file_name;
  // Not to be held up by a pipe of that name.
  constexpr int how = O_RDONLY | O_CLOEXEC | O_NONBLOCK;
  auto number = ::open(file.c_str(), how);
  if (number < 0 && errno == ENOENT) {
    if (auto error = make_file(file))
      return *error;
    number = ::open(file.c_str(), how);
  }
  const descriptor opened{number};
  if (!opened.is_open())
    return unusable("read the key file", file, errno);
  struct stat about {};
  if (::fstat(opened.number(), &about) != 0)
    return unusable("read the key file", file, errno);
  if (!S_ISREG(about.st_mode))
    return damaged(file, "it is not a regular file");
  if (about.st_size != static_cast<off_t>(size_bytes))
    return damaged(file, "it holds " + std::to_string(about.st_size) + " bytes instead of " +
                             std::to_string(size_bytes));
  errno = EIO;  // of a read that is short without a reason
  if (::pread(opened.number(), key.bytes_.data(), size_bytes, 0) !=
      static_cast<ssize_t>(size_bytes))
    return unusable("read the key file", file, errno);
  // Whoever has made it may have been killed before its name was durable.
  if (auto error = sync_directory(data))
    return *error;
  return key;
}

std::string http_key::hash(std::initializer_list<std::string_view> parts) const {
  crypto_generichash_state state;
  crypto_generichash_init(&state, bytes_.data(), bytes_.size(), crypto_generichash_BYTES);
  for (auto part : parts) {
    // Little-endian on every machine, because the journal may move to another one.
    std::array<unsigned char, 8> size{};
    for (std::size_t i = 0; i < size.size(); ++i)
      size[i] = static_cast<unsigned char>(std::uint64_t{part.size()} >> (8 * i));
    crypto_generichash_update(&state, size.data(), size.size());
    crypto_generichash_update(&state, reinterpret_cast<const unsigned char*>(part.data()),
                              part.size());
  }
  std::array<unsigned char, crypto_generichash_BYTES> hash{};
  crypto_generichash_final(&state, hash.data(), hash.size());
  sodium_memzero(&state, sizeof state);
  std::string text(2 * hash.size() + 1, '\0');
  sodium_bin2hex(text.data(), text.size(), hash.data(), hash.size());
  text.pop_back();
  return text;
}

}  // namespace auth
