#include "microlith/program.hpp"

#include "microlith/command.hpp"

#include <CLI/CLI.hpp>

#include <exception>
#include <iostream>

namespace tool {

namespace {

constexpr const char* version = "microlith " MICROLITH_VERSION;

struct command_group {
  const char* name;
  const char* description;
  add_commands add;
};

constexpr command_group groups[] = {
    {"journal", "Look at, check and copy the events of a data directory", add_journal_commands},
    {"projection", "What is derived from the events", add_projection_commands},
    {"subscription", "Durable subscriptions, and what they hold back", add_subscription_commands},
    {"cluster", "Nodes that work together: how they are, where components run",
     add_cluster_commands},
};

const char* const examples = R"(
Examples:
  microlith journal stats --data /srv/auth          how much is there
  microlith journal ls --data /srv/auth --type auth.user_registered_event --json
  microlith journal backup --data /srv/auth --to /backups/today
  microlith projection ls --data /srv/auth          what is derived, and how far it is
  microlith subscription ls --data /srv/auth        what waits for a person
  microlith cluster status --cluster cluster.toml   how the nodes of a cluster are
  microlith journal --help                          the commands of a group

Exit code: 0 fine, 1 found damage, 2 wrong use or could not be done.)";

std::string first_line(std::string text) {
  return text.substr(0, text.find('\n'));
}

// The group or command that was named, as far as it is known.
const CLI::App& innermost(const CLI::App& app) {
  const auto* at = &app;
  while (!at->get_subcommands().empty())
    at = at->get_subcommands().front();
  return *at;
}

std::string full_name(const CLI::App& at) {
  const auto* outer = at.get_parent();
  return outer == nullptr ? at.get_name() : full_name(*outer) + ' ' + at.get_name();
}

std::string wrong_use(const CLI::App& app, const CLI::ParseError& error) {
  const auto& at = innermost(app);
  auto name = full_name(at);
  auto text = first_line(error.what());
  auto below = at.get_subcommands([](const CLI::App*) { return true; });
  bool lacks_command = dynamic_cast<const CLI::RequiredError*>(&error) != nullptr && !below.empty();
  if (lacks_command) {
    auto unknown = app.remaining(true);
    text = (unknown.empty() ? "name a command" : "there is no '" + unknown.front() + '\'') + "; " +
           name + " has";
    for (const auto* each : below)
      text += (each == below.front() ? " " : ", ") + each->get_name();
  }
  return text + "; see " + name + " --help";
}

int parse_and_run(int argc, const char* const* argv) {
  chosen_command chosen;
  CLI::App app{"Looks after Microlith nodes: what they keep on disk, and how they work together.",
               "microlith"};
  app.footer(examples);
  app.set_version_flag("--version", version, "Print the version and exit");
  app.require_subcommand(1);
  for (const auto& group : groups) {
    auto* sub = app.add_subcommand(group.name, group.description);
    sub->require_subcommand(1);
    group.add(*sub, chosen);
  }
  try {
    app.parse(argc, argv);
  } catch (const CLI::CallForHelp& asked) {
    return app.exit(asked);
  } catch (const CLI::CallForAllHelp& asked) {
    return app.exit(asked);
  } catch (const CLI::CallForVersion&) {
    std::cout << version << '\n';
    return finish_output();
  } catch (const CLI::ParseError& error) {
    return complain(wrong_use(app, error));
  }
  return chosen.run ? chosen.run() : complain("no command; see microlith --help");
}

}  // namespace

int run_program(int argc, const char* const* argv) {
  try {
    return parse_and_run(argc, argv);
  } catch (const std::exception& error) {
    return complain(error.what());
  }
}

}  // namespace tool
