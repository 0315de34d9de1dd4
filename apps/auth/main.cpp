// The node of the sample; options.hpp says how it is called.

#include "auth/components.hpp"
#include "auth/create_admin.hpp"
#include "auth/log.hpp"
#include "auth/options.hpp"
#include "auth/serve.hpp"
#include "auth/signals.hpp"

#include <cstdio>
#include <exception>
#include <iostream>

namespace {

constexpr int exit_failed = 1;

int run(int argc, char** argv) {
  auto parsed = auth::parse_options(argc, argv);
  if (const auto* exit = std::get_if<auth::early_exit>(&parsed)) {
    (exit->code == 0 ? std::cout : std::cerr) << exit->text << std::flush;
    return exit->code;
  }
  const auto& options = std::get<auth::options>(parsed);
  if (!options.describe.empty()) {
    std::cout << (options.describe == "dot" ? microlith::describe_dot(auth::components())
                                            : microlith::describe(auth::components()));
    return 0;
  }
  auth::start_log(options.log_level);
  if (options.create_admin)
    return auth::create_admin(options, *options.create_admin);
  const auth::stop_signals stop;
  return auth::serve(options, stop);
}

}  // namespace

int main(int argc, char** argv) {
  try {
    return run(argc, argv);
  } catch (const std::exception& error) {
    std::cerr << "auth-node: " << error.what() << std::endl;
    return exit_failed;
  }
}
