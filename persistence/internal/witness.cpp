#include <microlith/persistence/internal/byte_order.hpp>
#include <microlith/persistence/internal/hash.hpp>
#include <microlith/persistence/internal/witness.hpp>

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <cstring>

namespace microlith::internal {

namespace {

constexpr std::uint64_t witness_magic = 0x31776C6F7263696DULL;  // "microlw1"
constexpr std::size_t witness_bytes = 64;
using witness_image = std::array<std::byte, witness_bytes>;

}  // namespace

std::optional<witnessed> read_witness(const std::filesystem::path& file) {
  int fd = ::open(file.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0)
    return std::nullopt;
  witness_image image{};
  auto got = ::pread(fd, image.data(), image.size(), 0);
  ::close(fd);
  const auto* p = image.data();
  if (got != static_cast<ssize_t>(image.size()) || load_le<std::uint64_t>(p + 8) != witness_magic ||
      load_le<std::uint64_t>(p) != checksum(std::span<const std::byte>{image}.subspan(8), 0))
    return std::nullopt;
  return witnessed{.epoch = load_id_le<message_id>(p + 16),
                   .position = load_le<std::uint64_t>(p + 32),
                   .running_hash = load_le<std::uint64_t>(p + 40),
                   .transaction = load_le<std::uint64_t>(p + 48),
                   .meta_hash = load_le<std::uint64_t>(p + 56)};
}

witness::witness(const std::filesystem::path& file)
    : file_{::open(file.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600)} {}

witness::~witness() {
  if (file_ >= 0)
    ::close(file_);
}

void witness::write(const witnessed& state) const {
  if (file_ < 0)
    return;
  witness_image image;
  auto* p = image.data();
  store_le(p + 8, witness_magic);
  store_id_le(p + 16, state.epoch);
  store_le(p + 32, state.position);
  store_le(p + 40, state.running_hash);
  store_le(p + 48, state.transaction);
  store_le(p + 56, state.meta_hash);
  store_le(p, checksum(std::span<const std::byte>{image}.subspan(8), 0));
  // 64 bytes within one page: the system writes them whole, or the checksum tells.
  [[maybe_unused]] auto written = ::pwrite(file_, image.data(), image.size(), 0);
  unsynced_.store(true, std::memory_order_relaxed);
}

void witness::sync() const {
  if (file_ >= 0 && unsynced_.exchange(false, std::memory_order_relaxed))
    ::fdatasync(file_);
}

}  // namespace microlith::internal
