// `microlith journal …`: the group, and what its commands take.

#include "microlith/command.hpp"
#include "microlith/journal_verify.hpp"
#include "microlith/journal_views.hpp"

#include <CLI/CLI.hpp>

#include <memory>

namespace tool {

namespace {

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
      ->option_text("N [100]");
  command->add_flag("--json", options->json, "Print JSON, an event a line");
  command->footer(R"(
Examples:
  microlith journal ls --data /srv/auth --from 1000 --limit 20
  microlith journal ls --data /srv/auth --stream 'auth.user/*' --since 2h
  microlith journal ls --data /srv/auth --type auth.user_logged_in_event --json)");
  command->callback(
      [options, &chosen] { chosen.run = [options] { return list_events(*options); }; });
}

void add_verify(CLI::App& group, chosen_command& chosen) {
  auto* command = group.add_subcommand(
      "verify", "Check everything: pages, checksums, positions, versions, index, checkpoints");
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
  add_verify(group, chosen);
}

}  // namespace tool
