#pragma once

// A disk between a program's writes and its syncs, after a recording.
//
// What was synced is durable. Of what was not, each sector of 512 bytes may hold any of the
// contents that it was given since, a file may have any of the sizes, and a directory's entry may
// name any of the files (or none), each independently of the others: unsynced writes are dropped,
// reordered and torn. A write to a file does not make the file's name durable; syncing its
// directory does. A value; one thread.

#include "crash/recorded_disk.hpp"

#include <array>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <random>
#include <string>
#include <vector>

namespace microlith::test {

/// How much of what was not synced a state keeps.
enum class survivors : std::uint8_t {
  none,
  all,
  some,    ///< any mixture, each version as likely as the others
  few,     ///< mostly the synced ones
  most,    ///< mostly the newest ones
  writes,  ///< each write to a file as a whole: there, or not
};
inline constexpr std::size_t survivors_count = 6;

[[nodiscard]] const char* to_string(survivors kept);

class disk_model {
 public:
  void apply(const disk_operation& operation);

  /// Whether there is more than one state to wake up in.
  [[nodiscard]] bool is_uncertain() const;

  /// Makes one state out of an empty directory.
  void wake_up(const std::filesystem::path& root, survivors kept, std::mt19937_64& random) const;

 private:
  static constexpr std::size_t sector_bytes = 512;
  using sector = std::array<std::byte, sector_bytes>;
  struct version {
    std::uint64_t write = 0;                ///< number of the write that made it
    std::shared_ptr<const sector> content;  ///< null: zeros
  };
  template <class T>
  struct history {
    T durable{};
    std::vector<T> pending{};
    [[nodiscard]] const T& newest() const { return pending.empty() ? durable : pending.back(); }
    void sync() {
      durable = newest();
      pending.clear();
    }
  };
  struct file {
    bool is_directory = false;
    history<std::uint64_t> size;
    std::map<std::uint64_t, history<version>> sectors;
  };

  void write(file& to, std::uint64_t offset, const std::vector<std::byte>& data);
  void make_file(const file& from, const std::filesystem::path& path, survivors kept,
                 std::mt19937_64& random) const;

  std::map<std::uint64_t, file> files_;
  std::map<std::string, history<std::uint64_t>> entries_;  ///< by path; 0: there is none
  std::uint64_t writes_ = 0;
};

}  // namespace microlith::test
