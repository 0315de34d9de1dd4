#pragma once

// Snapshots against the journal: they are looked at first, since the journal is never behind them,
// and each is then compared with the event that it names, as the journal's check comes by. One
// thread, one run: `look`, then `event` for each event in order, then `report`.

#include <microlith/messages/identity.hpp>
#include <microlith/persistence/internal/environment_check.hpp>
#include <microlith/persistence/internal/stream_key.hpp>
#include <microlith/persistence/record.hpp>
#include <microlith/persistence/verify.hpp>

#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <unordered_map>

namespace microlith::internal {

class snapshot_check {
 public:
  /// Of the folder `snapshots`, which need not be there.
  explicit snapshot_check(std::filesystem::path directory) : directory_{std::move(directory)} {}

  /// Throws page_file_error where it cannot be read.
  void look();
  void event(const record_view& record);
  /// `whole`: every event could be read.
  void report(message_id journal_epoch, bool whole, const std::function<void(finding)>& found,
              verify_report& report) const;

 private:
  struct named_event {
    std::uint64_t version = 0;
    message_id id;
  };

  std::filesystem::path directory_;
  bool there_ = false;
  environment_result walked_;
  std::optional<message_id> epoch_;
  /// By the hash of the stream's name; what the journal confirms is taken out.
  std::unordered_map<stream_key, named_event, stream_key_hash> open_;
  std::uint64_t count_ = 0;
};

}  // namespace microlith::internal
