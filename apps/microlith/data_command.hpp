#pragma once

// Subcommands of one group that share their options, the data directory among them. Main thread.

#include "microlith/command.hpp"

#include <CLI/CLI.hpp>

#include <memory>
#include <string_view>

namespace tool {

/// For the end of a help text.
inline constexpr const char* while_stopped = R"(
A node that runs has the directory, and this is refused: stop it first.)";

/// Of a thing in a list that could not be looked at; `problem` is empty where it could. What could
/// not be read weighs more than what is damaged: nobody knows about it.
inline int code_of(std::string_view problem) {
  if (problem.empty())
    return exit_fine;
  return problem.starts_with("it is damaged") ? exit_damage : exit_wrong_use;
}

/// `Options` has a member `data`.
template <class Options>
CLI::App* add_data_command(CLI::App& group, chosen_command& chosen, const char* name,
                           const char* what, const std::shared_ptr<Options>& options,
                           int (*run)(const Options&)) {
  auto* command = group.add_subcommand(name, what);
  add_data_option(*command, options->data);
  command->callback(
      [options, run, &chosen] { chosen.run = [options, run] { return run(*options); }; });
  return command;
}

}  // namespace tool
