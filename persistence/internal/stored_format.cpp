#include <microlith/persistence/internal/byte_order.hpp>
#include <microlith/persistence/internal/hash.hpp>
#include <microlith/persistence/internal/stored_format.hpp>

namespace microlith::internal {

storage_error format_problem(const std::string& what, std::uint32_t format, std::uint32_t known) {
  return {storage_error_kind::unusable, what + " has format " + std::to_string(format) +
                                            ", this program knows " + std::to_string(known) +
                                            ": use a newer program"};
}

void expect_format(std::span<const std::byte> stored, std::uint32_t known,
                   const std::string& what) {
  constexpr std::size_t head_bytes = 12;
  if (stored.size() < head_bytes ||
      load_le<std::uint64_t>(stored.data()) != checksum(stored.subspan(8), 0))
    return;
  auto format = load_le<std::uint32_t>(stored.data() + 8);
  if (format != known)
    throw other_format{format_problem(what, format, known)};
}

}  // namespace microlith::internal
