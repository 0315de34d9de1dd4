// `microlith projection …`: what is derived from the journal, and how to have it derived again.

#include "microlith/command.hpp"
#include "microlith/data_command.hpp"

#include <microlith/messages/print.hpp>
#include <microlith/persistence/projection_files.hpp>

#include <CLI/CLI.hpp>
#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>

#include <algorithm>
#include <iostream>
#include <memory>

namespace tool {

using microlith::print_text;
using microlith::stored_projection;

namespace {

struct projection_options {
  std::filesystem::path data;
  std::string name;
  bool json = false;
};

std::string state_of(const stored_projection& one) {
  if (!one.problem.empty())
    return print_text(one.problem);
  std::string state = !one.fits_journal ? "of another journal; filled again at the next start"
                      : one.behind == 0 ? "up to date"
                                        : std::to_string(one.behind) + " events behind";
  return one.to_be_rebuilt ? state + ", to be rebuilt at the next start" : state;
}

int list_projections(const projection_options& options) {
  auto all = microlith::stored_projections(options.data);
  if (!all)
    return complain(all.error());
  int code = exit_fine;
  boost::json::array json;
  for (const auto& one : *all) {
    code = std::max(code, code_of(one.problem));
    if (options.json)
      json.push_back({{"name", print_text(one.name)},
                      {"checkpoint", one.checkpoint},
                      {"behind", one.behind},
                      {"rows", one.rows},
                      {"file_bytes", one.file_bytes},
                      {"fits_journal", one.fits_journal},
                      {"to_be_rebuilt", one.to_be_rebuilt},
                      {"problem", one.problem}});
    else
      std::cout << print_text(one.name) << "  up to " << one.checkpoint << "  " << one.rows
                << " rows  " << size_text(one.file_bytes) << "  " << state_of(one) << '\n';
  }
  if (options.json)
    std::cout << boost::json::serialize(json) << '\n';
  return std::max(code, finish_output());
}

int tell(const projection_options& options,
         const microlith::result<void, microlith::storage_error>& done, const char* what) {
  if (!done)
    return complain(done.error());
  std::cout << print_text(options.name) << what << '\n';
  return finish_output();
}

int rebuild_projection(const projection_options& options) {
  return tell(options, microlith::mark_for_rebuild(options.data, options.name),
              " will be rebuilt at the next start; its rows are read until then");
}

int drop_projection(const projection_options& options) {
  return tell(options, microlith::drop_projection(options.data, options.name),
              " is gone; it is filled from the first event at the next start");
}

}  // namespace

void add_projection_commands(CLI::App& group, chosen_command& chosen) {
  group.footer(R"(
Examples:
  microlith projection ls --data /srv/auth
  microlith projection rebuild auth.users --data /srv/auth)");
  auto options = std::make_shared<projection_options>();
  auto* ls = add_data_command(group, chosen, "ls", "List projections and how far they are", options,
                              list_projections);
  ls->add_flag("--json", options->json, "Print JSON");
  ls->footer("\nExample:\n  microlith projection ls --data /srv/auth --json");
  auto* rebuild = add_data_command(
      group, chosen, "rebuild",
      "Have a projection's rows derived again at the next start, beside the old ones", options,
      rebuild_projection);
  rebuild->footer(std::string{R"(
Example:
  microlith projection rebuild auth.users --data /srv/auth
)"} + while_stopped);
  auto* drop =
      add_data_command(group, chosen, "drop",
                       "Throw a projection's rows away; they are derived again at the next start",
                       options, drop_projection);
  drop->footer(std::string{R"(
Example:
  microlith projection drop auth.users --data /srv/auth
)"} + while_stopped);
  for (auto* command : {rebuild, drop})
    command->add_option("name", options->name, "As `projection ls` shows it")
        ->required()
        ->type_name("NAME");
}

}  // namespace tool
