// The command-line tool; program.hpp says how it is called.

#include "microlith/program.hpp"

#include <csignal>

int main(int argc, char** argv) {
  // Whoever reads the output may end first; writing fails then, which is enough.
  std::signal(SIGPIPE, SIG_IGN);
  return tool::run_program(argc, argv);
}
