#include <microlith/persistence/internal/data_file.hpp>
#include <microlith/persistence/internal/hash.hpp>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <bit>
#include <cerrno>
#include <cstring>
#include <span>
#include <system_error>

namespace microlith::internal {

namespace {

constexpr std::uint64_t smallest_page_bytes = 512;
constexpr std::uint64_t largest_page_bytes = 65'536;

// The structs of mdb.c; natural alignment, native words and byte order, as LMDB itself has them.
struct lmdb_page_head {
  std::size_t number;
  std::uint16_t pad;
  std::uint16_t flags;
  std::uint16_t lower;
  std::uint16_t upper;
};
struct lmdb_table {
  std::uint32_t pad;
  std::uint16_t flags;
  std::uint16_t depth;
  std::size_t branch_pages;
  std::size_t leaf_pages;
  std::size_t overflow_pages;
  std::size_t entries;
  std::size_t root;
};
struct lmdb_meta {
  std::uint32_t magic;
  std::uint32_t version;
  void* address;
  std::size_t map_bytes;
  lmdb_table free;
  lmdb_table main;
  std::size_t last_page;
  std::size_t transaction;
};

std::optional<meta_page> read_meta_at(int file, std::uint64_t offset) {
  std::array<std::byte, sizeof(lmdb_page_head) + sizeof(lmdb_meta)> raw;
  if (::pread(file, raw.data(), raw.size(), static_cast<off_t>(offset)) !=
      static_cast<ssize_t>(raw.size()))
    return std::nullopt;
  lmdb_meta meta;
  std::memcpy(&meta, raw.data() + sizeof(lmdb_page_head), sizeof meta);
  // The free table's pad holds the page size.
  if (meta.magic != lmdb_magic || meta.version != lmdb_data_version ||
      meta.free.pad < smallest_page_bytes || meta.free.pad > largest_page_bytes ||
      !std::has_single_bit(meta.free.pad))
    return std::nullopt;
  auto hash = checksum(raw, 0);
  if (meta.main.depth == 1 && meta.main.root <= meta.last_page) {
    std::array<std::byte, largest_page_bytes> main;
    std::span page{main.data(), meta.free.pad};
    if (::pread(file, page.data(), page.size(), static_cast<off_t>(meta.main.root * page.size())) !=
        static_cast<ssize_t>(page.size()))
      return std::nullopt;
    hash = checksum(page, hash);
  }
  return meta_page{.number = offset / meta.free.pad,
                   .transaction = meta.transaction,
                   .last_page = meta.last_page,
                   .page_bytes = meta.free.pad,
                   .main_root = meta.main.root,
                   .main_depth = meta.main.depth,
                   .hash = hash};
}

}  // namespace

std::optional<meta_page> newest_meta_page(int file) {
  auto first = read_meta_at(file, 0);
  // With a damaged first page the size of pages is not known; the machine's is the likely one.
  auto page_bytes = first ? first->page_bytes : static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
  auto second = read_meta_at(file, page_bytes);
  return second && (!first || second->transaction > first->transaction) ? second : first;
}

std::optional<data_file_state> inspect_data_file(const std::filesystem::path& file) {
  auto refuse = [&](int code) {
    throw std::filesystem::filesystem_error{"look at a data file", file,
                                            std::error_code{code, std::generic_category()}};
  };
  int fd = ::open(file.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (fd < 0 && errno == ENOENT)
    return std::nullopt;
  if (fd < 0)
    refuse(errno);
  struct stat status {};
  int code = ::fstat(fd, &status) == 0 ? 0 : errno;
  if (code == 0 && !S_ISREG(status.st_mode))
    code = S_ISDIR(status.st_mode) ? EISDIR : EINVAL;
  if (code != 0) {
    ::close(fd);
    refuse(code);
  }
  std::optional<data_file_state> state;
  if (status.st_size > 0) {
    state.emplace();
    state->file_bytes = static_cast<std::uint64_t>(status.st_size);
    state->newest = newest_meta_page(fd);
  }
  ::close(fd);
  return state;
}

std::optional<meta_page> read_meta_page(int file, std::uint64_t transaction,
                                        std::uint64_t page_bytes) {
  auto meta = read_meta_at(file, (transaction & 1) * page_bytes);
  if (meta && meta->transaction != transaction)
    return std::nullopt;
  return meta;
}

}  // namespace microlith::internal
