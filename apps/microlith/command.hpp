#pragma once

// What the groups of commands have in common: how a command is registered, and how it ends.
//
// A group's function adds its subcommands to the group's CLI11 application; the callback of each
// puts what is to be run into `chosen`. Everything runs on the main thread.

#include <microlith/persistence/error.hpp>

#include <filesystem>
#include <functional>
#include <string>
#include <string_view>

namespace CLI {
class App;
}

namespace tool {

/// What the program exits with.
enum exit_code : int {
  exit_fine = 0,
  exit_damage = 1,
  exit_wrong_use = 2,  ///< also where what was asked for could not be done
};

/// What the command line asks for; empty until it is parsed.
struct chosen_command {
  std::function<int()> run;
};

using add_commands = void (*)(CLI::App& group, chosen_command& chosen);

void add_journal_commands(CLI::App& group, chosen_command& chosen);
void add_cluster_commands(CLI::App& group, chosen_command& chosen);
void add_projection_commands(CLI::App& group, chosen_command& chosen);
void add_subscription_commands(CLI::App& group, chosen_command& chosen);

/// Adds `--data DIR`, which every command wants.
void add_data_option(CLI::App& command, std::filesystem::path& data);

/// For numbers that count something: why the text is none, or empty. What CLI11 makes of "-1" is a
/// very large number.
[[nodiscard]] std::string check_count(const std::string& text);

/// Says on standard error what went wrong; returns the exit code for it.
[[nodiscard]] int complain(const microlith::storage_error& error);
[[nodiscard]] int complain(std::string_view text);

/// Whether what was printed has arrived; a reader that ended first (`| head`) is no error.
[[nodiscard]] int finish_output();

/// Whether a place lies in a directory, or is it; neither need be there.
[[nodiscard]] bool is_within(const std::filesystem::path& place,
                             const std::filesystem::path& directory);

/// "4.0 KiB", "1.3 GiB"
[[nodiscard]] std::string size_text(std::uint64_t bytes);

}  // namespace tool
