#include "microlith/journal_verify.hpp"

#include "microlith/child.hpp"
#include "microlith/command.hpp"
#include "microlith/progress.hpp"

#include <microlith/persistence/verify.hpp>

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>

#include <iostream>

namespace tool {

using microlith::verify_report;

namespace {

void print_report_as_json(const verify_report& report) {
  boost::json::object out;
  out["damaged"] = report.is_damaged();
  if (auto first = report.first_damaged_position(); first != 0)
    out["first_damaged_position"] = first;
  out["events"] = report.events;
  out["streams"] = report.streams;
  out["index_entries"] = report.index_entries;
  out["projections"] = report.projections;
  out["rows"] = report.rows;
  out["skipped_events"] = report.skipped;
  out["snapshots"] = report.snapshots;
  out["subscriptions"] = report.subscriptions;
  out["held_events"] = report.held_events;
  auto& all = out["findings"].emplace_array();
  for (const auto& f : report.findings)
    all.push_back(
        {{"damage", f.is_damage}, {"part", f.part}, {"text", f.text}, {"position", f.position}});
  std::cout << boost::json::serialize(out) << '\n';
}

void print_report(const verify_report& report) {
  for (const auto& f : report.findings)
    std::cout << (f.is_damage ? "DAMAGE  " : "note    ") << f.part << ": " << f.text << '\n';
  if (report.damages > report.findings.size())
    std::cout << "        and more: " << report.damages << " findings in all\n";
  if (auto first = report.first_damaged_position(); first != 0)
    std::cout << "first damaged position: " << first << '\n';
  std::cout << (report.is_damaged() ? "damaged: " : "fine: ") << report.events << " events in "
            << report.streams << " streams, " << report.index_entries << " index entries, "
            << report.projections << " projections with " << report.rows << " rows, "
            << report.snapshots << " snapshots, " << report.subscriptions
            << " subscriptions that hold back " << report.held_events << " events\n";
}

int verify_here(const verify_command& command) {
  auto report = [&] {
    progress_bar bar{"verify"};
    return microlith::verify(command.data, {.progress = [&](std::uint64_t done, std::uint64_t of) {
                               bar.show(done, of);
                             }});
  }();
  if (!report)
    return complain(report.error());
  if (command.json)
    print_report_as_json(*report);
  else
    print_report(*report);
  auto code = finish_output();
  return report->is_damaged() ? exit_damage : code;
}

}  // namespace

int verify_data(const verify_command& command) {
  return in_child(command.data, [&] { return verify_here(command); });
}

}  // namespace tool
