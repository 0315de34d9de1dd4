#pragma once

// Opening an LMDB environment whose contents can be derived again: what is damaged, or does not
// fit, is thrown away, once. Any thread; one at a time for each directory.

#include <microlith/messages/result.hpp>
#include <microlith/persistence/error.hpp>
#include <microlith/persistence/internal/lmdb.hpp>
#include <microlith/persistence/internal/opening_check.hpp>

#include <filesystem>
#include <memory>
#include <string>

namespace microlith::internal {

/// `open()` gives a unique_ptr, null where what is there does not fit. `what` is for error texts.
template <class Open>
auto open_derived(const std::filesystem::path& directory, const std::string& what, Open open)
    -> result<decltype(open()), storage_error> {
  auto problem = [&](storage_error_kind kind, const std::string& why) {
    auto way_out = kind == storage_error_kind::full
                       ? ". Make room on the disk or raise the map limit"
                       : ". Mend the cause, permissions for example; what is there may be deleted "
                         "while no node runs, and is made again";
    return storage_error{
        kind, "cannot open " + what + " in " + directory.string() + ": " + why + way_out};
  };
  try {
    for (bool again : {true, false}) {
      if (!can_be_mapped(directory))
        std::filesystem::remove_all(directory);
      try {
        if (auto opened = open())
          return opened;
      } catch (const lmdb_error& error) {
        bool damaged = error.code() == MDB_INVALID || error.code() == MDB_CORRUPTED ||
                       error.code() == MDB_PAGE_NOTFOUND || error.code() == MDB_VERSION_MISMATCH ||
                       error.code() == MDB_DBS_FULL || error.code() == MDB_INCOMPATIBLE;
        if (!damaged || !again)
          return problem(
              error.out_of_space() ? storage_error_kind::full : storage_error_kind::unusable,
              error.what());
      }
      std::filesystem::remove_all(directory);
    }
  } catch (const std::filesystem::filesystem_error& error) {
    return problem(storage_error_kind::unusable,
                   error.path1().string() + ": " + error.code().message());
  } catch (const std::exception& error) {
    return problem(storage_error_kind::unusable, error.what());
  }
  return problem(storage_error_kind::unusable, "it does not keep what is written to it");
}

}  // namespace microlith::internal
