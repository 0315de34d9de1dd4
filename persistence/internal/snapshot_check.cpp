#include <microlith/persistence/internal/byte_order.hpp>
#include <microlith/persistence/internal/hash.hpp>
#include <microlith/persistence/internal/snapshot_check.hpp>
#include <microlith/persistence/internal/snapshot_layout.hpp>
#include <microlith/persistence/internal/stored_format.hpp>

#include <algorithm>
#include <string>

namespace microlith::internal {

namespace {

constexpr std::string_view snapshot_remedy =
    ". Stop the node and delete the folder `snapshots`: streams load from their first event then";

}  // namespace

void snapshot_check::look() {
  auto file_name = directory_ / "data.mdb";
  std::error_code error;
  there_ = std::filesystem::exists(file_name, error);
  if (!there_)
    return;
  page_file file{file_name};
  walked_ = check_steadily(file, [&](const page_snapshot&, environment_check& check) {
    epoch_.reset();
    open_.clear();
    check.walk([&](std::string_view table, std::span<const std::byte> key,
                   std::span<const std::byte> value) {
      if (table == "state") {
        expect_format(value, snapshot_format, "their folder");
        epoch_ = decode_snapshot_state(value);
        if (!epoch_)
          throw page_error{"its state does not fit its checksum"};
      } else if (table == "snapshots") {
        auto kept = decode_snapshot(value);
        if (!kept || !std::ranges::equal(key, encode_snapshot_key(kept->stream)))
          throw page_error{"a snapshot is not what was written"};
        open_[load_id_be<stream_key>(key.data())] = {kept->version, kept->event};
      }
    });
    check.account();
    count_ = open_.size();
  });
}

void snapshot_check::event(const record_view& record) {
  if (open_.empty() || record.stream.empty())
    return;
  auto named = open_.find(hash_name(record.stream));
  if (named != open_.end() && named->second.version == record.stream_version &&
      named->second.id == record.id)
    open_.erase(named);
}

void snapshot_check::report(message_id journal_epoch, bool whole,
                            const std::function<void(finding)>& found,
                            verify_report& report) const {
  if (!there_)
    return;
  auto say = [&](bool is_damage, std::string text) {
    found({is_damage, "snapshots", std::move(text)});
  };
  if (!walked_.problem.empty()) {
    say(true, "what is in " + directory_.string() + " is damaged: " + walked_.problem +
                  std::string{snapshot_remedy});
    return;
  }
  report.snapshots = count_;
  if (walked_.overtaken)
    say(false, "the node writes them too quickly to be looked at: verify again");
  else if (epoch_ && *epoch_ != journal_epoch)
    say(false, "they are of another journal, and are thrown away at the next start");
  else if (!whole && !open_.empty())
    say(false, "not all were compared with the events, some of which are damaged");
  else if (!open_.empty())
    say(true, std::to_string(open_.size()) + " of " + std::to_string(count_) +
                  " are of events that the journal does not have" + std::string{snapshot_remedy});
}

}  // namespace microlith::internal
