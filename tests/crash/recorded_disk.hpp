#pragma once

// What this program does to the files below one directory, in order: the log from which
// disk_model.hpp builds the states that a machine could wake up in after its power failed.
//
// Linking recorded_disk.cpp puts it between the program (LMDB included) and the system: open,
// write, sync and their like are seen on their way, and syncs are noted instead of made. One
// recording at a time; any thread. What LMDB keeps in lock.mdb is left out: it means nothing after
// a start.

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

namespace microlith::test {

struct disk_operation {
  enum class kind : std::uint8_t {
    write,           ///< `data` at `offset` of file `node`
    resize,          ///< file `node` to `offset` bytes
    sync,            ///< all of file `node` is durable
    sync_written,    ///< `length` bytes at `offset` of file `node` are (O_DSYNC)
    link,            ///< `path` names `node`
    unlink,          ///< `path` names nothing
    sync_directory,  ///< what lies directly in `path` is durable
    mark,            ///< the program's own: `offset` says what
  };

  kind what = kind::mark;
  std::uint64_t node = 0;  ///< a file or directory, for as long as it lives
  std::uint64_t offset = 0;
  std::uint64_t length = 0;
  std::string path = {};  ///< relative to the recorded directory
  bool is_directory = false;
  std::vector<std::byte> data = {};
};

/// Forgets what was recorded, and records what happens below an existing directory. What lies there
/// is the beginning of the recording, and durable.
void start_recording(const std::filesystem::path& root);
void add_mark(std::uint64_t value);
[[nodiscard]] std::vector<disk_operation> stop_recording();

}  // namespace microlith::test
