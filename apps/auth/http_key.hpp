#pragma once

// The secret under which the gateway hashes what clients send, so that the journal can tell whether
// it has met something before without holding it.
//
// It never changes: what was hashed under another key is not found again. Immutable; any thread.

#include <microlith/messages/result.hpp>
#include <microlith/persistence/error.hpp>

#include <array>
#include <cstddef>
#include <filesystem>
#include <initializer_list>
#include <string>
#include <string_view>

namespace auth {

class http_key {
 public:
  static constexpr std::size_t size_bytes = 32;
  static constexpr const char* file_name = "http-key";

  /// A random one that is kept nowhere.
  [[nodiscard]] static http_key make();

  /// That of a data directory: the random bytes in its file `http-key`, which is made, for its
  /// owner only, where there is none. Of several that make it at once one does, and all get the
  /// same. It survives a loss of power from here on.
  [[nodiscard]] static microlith::result<http_key, microlith::storage_error> open(
      const std::filesystem::path& data);

  /// BLAKE2b-256 under this key, 64 hexadecimal digits. Where a part ends matters: {"ab", "c"} is
  /// not {"a", "bc"}.
  [[nodiscard]] std::string hash(std::initializer_list<std::string_view> parts) const;

 private:
  http_key() = default;

  std::array<unsigned char, size_bytes> bytes_{};
};

}  // namespace auth
