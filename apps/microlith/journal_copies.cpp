#include "microlith/journal_copies.hpp"

#include "microlith/command.hpp"
#include "microlith/progress.hpp"

#include <microlith/persistence/backup.hpp>

#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>

#include <iostream>

namespace tool {

namespace {

template <class Copy>
int copy_with_progress(const char* what, const std::filesystem::path& to, bool json, Copy copy) {
  auto report = [&] {
    progress_bar bar{what};
    return copy([&](std::uint64_t done, std::uint64_t of) { bar.show(done, of); });
  }();
  if (!report)
    return complain(report.error());
  if (json) {
    boost::json::object out;
    out["events"] = report->events;
    out["file_bytes"] = report->file_bytes;
    out["subscriptions"] = report->subscriptions;
    out["files"] = report->files;
    out["epoch"] = to_string(report->epoch);
    std::cout << boost::json::serialize(out) << '\n';
  } else {
    std::cout << report->events << " events, " << size_text(report->file_bytes) << ", "
              << report->subscriptions << " subscriptions and " << report->files
              << " other files in " << to.string() << '\n';
  }
  return finish_output();
}

}  // namespace

int back_up_journal(const backup_options& options) {
  if (is_within(options.to, options.data))
    return complain("cannot back up to " + options.to.string() +
                    ": it lies in the data directory that is read. Name a place outside");
  return copy_with_progress("backup", options.to, options.json, [&](const auto& progress) {
    return microlith::back_up(options.data, options.to, progress);
  });
}

int restore_journal(const restore_options& options) {
  if (is_within(options.data, options.from))
    return complain("cannot restore to " + options.data.string() +
                    ": it lies in the backup that is read. Name a place outside");
  return copy_with_progress("restore", options.data, options.json, [&](const auto& progress) {
    return microlith::restore(options.from, options.data, progress);
  });
}

}  // namespace tool
