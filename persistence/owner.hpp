#pragma once

// One process owns a data directory.
//
// A lock file in the directory is locked for as long as the object lives, and holds the process id
// of the owner. The system frees the lock when the process ends, however it ends, so there is
// nothing to clean up. Movable, not thread-safe.

#include <microlith/messages/result.hpp>
#include <microlith/persistence/error.hpp>

#include <filesystem>

namespace microlith {

class data_owner {
 public:
  /// In the directory.
  static constexpr const char* file_name = "owner";

  /// Makes the directory (mode 0700) if it is not there. An error of kind `owned` names the process
  /// that has it.
  [[nodiscard]] static result<data_owner, storage_error> acquire(
      const std::filesystem::path& directory);

  data_owner(data_owner&& other) noexcept;
  data_owner& operator=(data_owner&& other) noexcept;
  ~data_owner();

 private:
  explicit data_owner(int file) : file_{file} {}

  int file_ = -1;
};

}  // namespace microlith
