// `microlith journal …`: the group, and what its commands take.

#include "microlith/command.hpp"
#include "microlith/journal_copies.hpp"
#include "microlith/journal_trace.hpp"
#include "microlith/journal_verify.hpp"
#include "microlith/journal_views.hpp"

#include <CLI/CLI.hpp>

#include <memory>

namespace tool {

namespace {

// They are kept in memory until the last is known.
constexpr std::uint64_t max_tail_events = 100'000;

void add_stats(CLI::App& group, chosen_command& chosen) {
  auto* command = group.add_subcommand("stats", "How many events of which types, and their room");
  auto options = std::make_shared<stats_options>();
  add_data_option(*command, options->data);
  command->add_flag("--json", options->json, "Print JSON");
  command->footer("\nExample:\n  microlith journal stats --data /srv/auth");
  command->callback(
      [options, &chosen] { chosen.run = [options] { return journal_stats(*options); }; });
}

void add_ls(CLI::App& group, chosen_command& chosen) {
  auto* command = group.add_subcommand("ls", "List events, a line each");
  auto options = std::make_shared<list_options>();
  add_data_option(*command, options->data);
  add_filter_options(*command, options->filter);
  command->add_option("--limit", options->limit, "At most so many; 0: all of them")
      ->option_text("N [100]")
      ->check(check_count);
  command->add_flag("--json", options->json, "Print JSON, an event a line");
  command->footer(R"(
Examples:
  microlith journal ls --data /srv/auth --from 1000 --limit 20
  microlith journal ls --data /srv/auth --stream 'auth.user/*' --since 2h
  microlith journal ls --data /srv/auth --type auth.user_logged_in_event --json

Quick in a journal of any size: --from and --to, one --stream (without *), --correlation. The other
filters look through all events in between.)");
  command->callback(
      [options, &chosen] { chosen.run = [options] { return list_events(*options); }; });
}

void add_show(CLI::App& group, chosen_command& chosen) {
  auto* command = group.add_subcommand("show", "All that is known of one event");
  auto options = std::make_shared<show_options>();
  add_data_option(*command, options->data);
  command->add_option("position-or-id", options->which, "A position, or a message id")
      ->required()
      ->type_name("POSITION|ID");
  command->add_flag("--json", options->json, "Print JSON");
  command->footer(R"(
Examples:
  microlith journal show 17 --data /srv/auth
  microlith journal show 018f0e5a-7c3b-7abc-9def-0123456789ab --data /srv/auth --json

Quick in a journal of any size.)");
  command->callback(
      [options, &chosen] { chosen.run = [options] { return show_event(*options); }; });
}

void add_tail(CLI::App& group, chosen_command& chosen) {
  auto* command = group.add_subcommand("tail", "The last events, and those that follow");
  auto options = std::make_shared<tail_options>();
  add_data_option(*command, options->data);
  add_filter_options(*command, options->filter);
  command->add_option("-n,--events", options->events, "So many of the last")
      ->option_text("N [10]")
      ->check(check_count)
      ->check(CLI::Range(std::uint64_t{0}, max_tail_events));
  command->add_flag("-f,--follow", options->follow, "Go on until interrupted");
  command->add_flag("--json", options->json, "Print JSON, an event a line");
  command->footer(R"(
Examples:
  microlith journal tail --data /srv/auth
  microlith journal tail --data /srv/auth -n 0 --follow --type 'auth.*')");
  command->callback(
      [options, &chosen] { chosen.run = [options] { return tail_events(*options); }; });
}

void add_trace(CLI::App& group, chosen_command& chosen) {
  auto* command = group.add_subcommand("trace", "What caused what in a conversation, with times");
  auto options = std::make_shared<trace_options>();
  add_data_option(*command, options->data);
  command->add_option("id", options->id, "Id of a conversation, or of a message in it")
      ->required()
      ->type_name("ID");
  command->add_flag("--json", options->json, "Print the events as a JSON array");
  command->footer(R"(
Example:
  microlith journal trace 018f0e5a-7c3b-7abc-9def-0123456789ab --data /srv/auth

Quick in a journal of any size, given the id of the conversation, of an event, or of a command that
has caused events. Other messages of it are looked for among all events.)");
  command->callback(
      [options, &chosen] { chosen.run = [options] { return trace_conversation(*options); }; });
}

void add_export(CLI::App& group, chosen_command& chosen) {
  auto* command = group.add_subcommand("export", "All events as JSON, one a line");
  auto options = std::make_shared<export_options>();
  add_data_option(*command, options->data);
  add_filter_options(*command, options->filter);
  command->add_option("--file", options->to, "A new file to write to, not standard output")
      ->type_name("FILE");
  command->footer(R"(
Examples:
  microlith journal export --data /srv/auth | gzip > events.jsonl.gz
  microlith journal export --data /srv/auth --since 1d --file today.jsonl

Secrets and sensitive fields are masked, so an export is no backup.)");
  command->callback(
      [options, &chosen] { chosen.run = [options] { return export_events(*options); }; });
}

void add_backup(CLI::App& group, chosen_command& chosen) {
  auto* command = group.add_subcommand(
      "backup", "Copy what cannot be derived again, while the node runs or not");
  auto options = std::make_shared<backup_options>();
  add_data_option(*command, options->data);
  command->add_option("--to", options->to, "A new directory")->required()->type_name("PATH");
  command->add_flag("--json", options->json, "Print JSON");
  command->footer(R"(
Example:
  microlith journal backup --data /srv/auth --to /backups/today
  microlith journal verify --data /backups/today

Every event is checked on the way. A backup is a data directory with the journal, the durable
subscriptions, and the files that the application keeps directly in its directory.)");
  command->callback(
      [options, &chosen] { chosen.run = [options] { return back_up_journal(*options); }; });
}

void add_restore(CLI::App& group, chosen_command& chosen) {
  auto* command =
      group.add_subcommand("restore", "Copy a backup into a directory without a journal");
  auto options = std::make_shared<restore_options>();
  command->add_option("--from", options->from, "What `backup` wrote")
      ->required()
      ->type_name("PATH");
  command->add_option("--data", options->data, "Data directory; made if it is not there")
      ->required()
      ->type_name("DIR");
  command->add_flag("--json", options->json, "Print JSON");
  command->footer(R"(
Example:
  microlith journal restore --from /backups/today --data /srv/auth

Nothing is overwritten. What was derived from the journal of before is derived again; durable
subscriptions go on where the backup has them.)");
  command->callback(
      [options, &chosen] { chosen.run = [options] { return restore_journal(*options); }; });
}

void add_verify(CLI::App& group, chosen_command& chosen) {
  auto* command = group.add_subcommand(
      "verify",
      "Check everything: events, index, projections, snapshots, subscriptions, their checkpoints");
  auto options = std::make_shared<verify_command>();
  add_data_option(*command, options->data);
  command->add_flag("--json", options->json, "Print JSON");
  command->footer(R"(
Examples:
  microlith journal verify --data /srv/auth
  microlith journal verify --data /srv/auth --json | jq .first_damaged_position

Exit code: 0 nothing is damaged, 1 something is. Runs beside a node, too; with the node stopped it
also accounts for every page.)");
  command->callback(
      [options, &chosen] { chosen.run = [options] { return verify_data(*options); }; });
}

}  // namespace

void add_journal_commands(CLI::App& group, chosen_command& chosen) {
  group.footer(R"(
Examples:
  microlith journal stats --data /srv/auth
  microlith journal ls --data /srv/auth --since 2h)");
  add_stats(group, chosen);
  add_ls(group, chosen);
  add_show(group, chosen);
  add_tail(group, chosen);
  add_trace(group, chosen);
  add_export(group, chosen);
  add_verify(group, chosen);
  add_backup(group, chosen);
  add_restore(group, chosen);
}

}  // namespace tool
