#include "auth/create_admin.hpp"

#include "auth/components.hpp"
#include "auth/email.hpp"
#include "auth/serve.hpp"

#include <termios.h>
#include <unistd.h>

#include <csignal>
#include <iostream>
#include <optional>

namespace auth {

namespace {

constexpr int exit_failed = 1;

/// While it lives, the terminal does not show what is typed. A signal ends the reading, not the
/// process, which would leave the terminal so.
class hidden_input {
 public:
  hidden_input() : is_terminal_{tcgetattr(STDIN_FILENO, &before_) == 0} {
    struct sigaction interrupt {};
    interrupt.sa_handler = [](int) {};
    sigaction(SIGINT, &interrupt, &interrupt_before_);
    sigaction(SIGTERM, &interrupt, &terminate_before_);
    if (!is_terminal_)
      return;
    auto hidden = before_;
    hidden.c_lflag &= static_cast<tcflag_t>(~ECHO);
    tcsetattr(STDIN_FILENO, TCSAFLUSH, &hidden);
  }
  hidden_input(const hidden_input&) = delete;
  hidden_input& operator=(const hidden_input&) = delete;
  ~hidden_input() {
    if (is_terminal_)
      tcsetattr(STDIN_FILENO, TCSAFLUSH, &before_);
    sigaction(SIGINT, &interrupt_before_, nullptr);
    sigaction(SIGTERM, &terminate_before_, nullptr);
  }

 private:
  termios before_{};
  bool is_terminal_;
  struct sigaction interrupt_before_ {};
  struct sigaction terminate_before_ {};
};

using password = microlith::secret<std::string>;

std::optional<password> read_line() {
  password line;
  if (!std::getline(std::cin, line.reveal_to_fill()))
    return std::nullopt;
  if (line.reveal().ends_with('\r'))
    line.reveal_to_fill().pop_back();
  return line;
}

std::optional<password> ask(const std::string& question) {
  std::cerr << question << std::flush;
  auto line = read_line();
  std::cerr << '\n';
  return line;
}

int refuse(int code, const std::string& why) {
  std::cerr << "auth-node: " << why << std::endl;
  return code;
}

std::string advice(register_error error, const std::string& email) {
  switch (error) {
    case register_error::user_already_exists:
      return email + " is registered already; choose another e-mail";
    case register_error::invalid_email:
      return "'" + email + "' is not an e-mail address such as alice@example.org";
    case register_error::weak_password:
      return "the password is too short; choose one of at least " +
             std::to_string(password_minimum_characters) + " characters";
    case register_error::password_too_long:
      return "the password is too long; choose one of at most " +
             std::to_string(password_limit_bytes) + " bytes";
    case register_error::forbidden:
      break;
  }
  return "an admin may not be created here";
}

}  // namespace

int create_admin(const options& options, const std::string& given_email) {
  auto email = fold_email(given_email);
  // Before asking for anything that would be in vain.
  if (!is_valid_email(email))
    return refuse(exit_wrong_use, advice(register_error::invalid_email, given_email));
  auto node = start_node(options, {commands_component()});
  if (!node)
    return refuse(exit_wrong_use, node.error().text);

  std::optional<password> chosen;
  if (isatty(STDIN_FILENO) != 0) {
    const hidden_input hidden;
    chosen = ask("Password for " + email + ": ");
    auto again = chosen ? ask("Once more: ") : std::nullopt;
    if (!again)
      return refuse(exit_failed, "no password was given; nothing was registered");
    if (!(*chosen == *again))
      return refuse(exit_failed, "the passwords differ; nothing was registered; try again");
  } else {
    chosen = read_line();
    if (!chosen)
      return refuse(exit_failed, "no password on standard input; write it there as one line");
  }
  if (auto error = password_error(chosen->reveal()))
    return refuse(exit_failed, advice(*error, email));

  // Whoever can write the data directory speaks with the authority of an admin.
  microlith::principal operator_of_node{.subject = "auth-node --create-admin",
                                        .roles = {std::string{to_string(role::admin)}}};
  auto outcome = node->commands().dispatch_and_wait<user_registered_event, register_error_raised>(
      microlith::correlated(register_command{email, std::move(*chosen), role::admin},
                            std::move(operator_of_node)));
  return microlith::match(
      outcome,
      [&](const user_registered_event& event) {
        std::cout << "registered the admin " << event.email << std::endl;
        return 0;
      },
      [&](const register_error_raised& refused) {
        return refuse(exit_failed, advice(refused.errors.front(), email));
      },
      [&](const microlith::failure& why) {
        return refuse(exit_failed, "the admin could not be registered: " + to_string(why));
      });
}

}  // namespace auth
