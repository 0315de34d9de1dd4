#include <microlith/persistence/internal/data_folder.hpp>
#include <microlith/persistence/internal/index_check.hpp>
#include <microlith/persistence/internal/journal_check.hpp>
#include <microlith/persistence/internal/projection_check.hpp>
#include <microlith/persistence/internal/snapshot_check.hpp>
#include <microlith/persistence/internal/stored_format.hpp>
#include <microlith/persistence/internal/subscription_check.hpp>
#include <microlith/persistence/verify.hpp>

#include <algorithm>
#include <cerrno>
#include <utility>

namespace microlith {

namespace {

using path = std::filesystem::path;

/// Folders of `directory` that hold an environment, by name; those that may not be looked into are
/// nobody's concern here.
std::vector<path> other_environments_in(const path& directory) {
  std::vector<path> found;
  std::error_code error;
  for (std::filesystem::directory_iterator at{directory, error}, end; !error && at != end;
       at.increment(error)) {
    if (std::filesystem::exists(at->path() / "data.mdb", error))
      found.push_back(at->path());
  }
  std::sort(found.begin(), found.end());
  return found;
}

class verification {
 public:
  verification(path data, const verify_options& options)
      : data_{std::move(data)}, options_{options} {}

  verify_report run() {
    auto add = [this](finding f) { found(std::move(f)); };
    // Before the journal, which is never behind them.
    auto digested = internal::index_checkpoint(data_ / "index").value_or(0);
    internal::snapshot_check snapshots{data_ / "snapshots"};
    part("snapshots", [&] { snapshots.look(); });
    internal::journal_check journal{data_ / "journal", add};
    if (journal.pages() == nullptr)
      return std::move(report_);
    internal::index_digest digest;
    journal.run(
        digested, digest, [&](const record_view& record) { snapshots.event(record); }, report_,
        options_.progress);
    const auto epoch = journal.pages()->meta().epoch;
    internal::journal_lookup lookup{data_ / "journal"};
    part("index", [&] {
      internal::check_index(
          data_ / "index", epoch, lookup.last_position(), digest,
          [&](std::uint64_t to) { return journal.extend(digest, to); }, add, report_);
    });
    for (const auto& folder : internal::environments_in(data_ / "projections"))
      part("projection " + folder.filename().string(),
           [&] { internal::check_projection(folder, epoch, lookup, add, report_); });
    snapshots.report(epoch, journal.all_read(), add, report_);
    for (const auto& folder : internal::environments_in(data_ / "subscriptions"))
      part("subscription " + folder.filename().string(),
           [&] { internal::check_subscription(folder, epoch, lookup, add, report_); });
    check_others();
    return std::move(report_);
  }

 private:
  // Whatever else lies there is checked as far as it can be without knowing it.
  void check_others() {
    auto add = [this](finding f) { found(std::move(f)); };
    auto pages = [&](const path& folder) {
      auto name = folder.lexically_relative(data_).generic_string();
      part(name, [&] { internal::check_pages(folder, name, add); });
    };
    for (const auto& folder : other_environments_in(data_)) {
      if (auto name = folder.filename();
          name != "journal" && name != "index" && name != "snapshots")
        pages(folder);
    }
  }

  template <class F>
  void part(const std::string& name, F check) {
    try {
      check();
    } catch (const internal::other_format& error) {
      found({false, name, error.error().text + "; it was not looked at"});
    } catch (const internal::page_file_error& error) {
      // Who may not read it learns nothing of it, least of all that it is damaged.
      if (error.code() == EACCES)
        throw storage_exception{
            {storage_error_kind::unusable, "cannot verify " + name + ": " + error.what()}};
      found({true, name, std::string{"it cannot be read: "} + error.what()});
    } catch (const std::exception& error) {
      found({true, name, std::string{"it cannot be read: "} + error.what()});
    }
  }

  void found(finding f) {
    if (f.is_damage)
      ++report_.damages;
    if (report_.findings.size() < max_findings)
      report_.findings.push_back(std::move(f));
  }

  path data_;
  const verify_options& options_;
  verify_report report_;
};

}  // namespace

std::uint64_t verify_report::first_damaged_position() const {
  std::uint64_t first = 0;
  for (const auto& f : findings) {
    if (f.is_damage && f.position != 0 && (first == 0 || f.position < first))
      first = f.position;
  }
  return first;
}

result<verify_report, storage_error> verify(const std::filesystem::path& data,
                                            const verify_options& options) {
  try {
    return verification{data, options}.run();
  } catch (const storage_exception& error) {
    return error.error();
  } catch (const std::filesystem::filesystem_error& error) {
    return internal::unreadable_folder(error);
  } catch (const std::exception& error) {
    return storage_error{storage_error_kind::io,
                         "cannot verify " + data.string() + ": " + error.what()};
  }
}

}  // namespace microlith
