#pragma once

// `microlith GROUP COMMAND OPTIONS…`: finds the command and runs it.
//
// A group of commands is one line in the table of program.cpp and one function in a file of its
// own. Called once, from main.

namespace tool {

/// Returns the exit code.
[[nodiscard]] int run_program(int argc, const char* const* argv);

}  // namespace tool
