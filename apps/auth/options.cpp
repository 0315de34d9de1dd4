#include "auth/options.hpp"

#include "auth/http/authority.hpp"

#include <CLI/CLI.hpp>

#include <charconv>
#include <limits>

namespace auth {

namespace {

constexpr const char* version = "auth-node " AUTH_NODE_VERSION;
constexpr unsigned thread_limit = 1'024;
constexpr std::size_t registration_limit_limit = 100'000;
// Smaller, and there would be no room for the first registrations.
constexpr std::size_t smallest_map_limit_bytes = std::size_t{1} << 20;

const char* const examples = R"(
Examples:
  auth-node                                      serve on http://127.0.0.1:8080/, data in ./data
  auth-node --data /srv/auth --http 0.0.0.0:80 --host auth.example.org
  auth-node --trust-proxy 127.0.0.1 --host auth.example.org      behind a proxy that speaks TLS
  auth-node --data /srv/auth --create-admin alice@example.org    asks for the password
  auth-node --cluster cluster.toml --node b --data /srv/auth-b   one node of several)";

std::string read_endpoint(const std::string& text, http::ip_address& to, std::uint16_t& port) {
  auto parsed = http::authority::parse(text);
  auto address =
      parsed ? http::ip_address::parse(parsed->host == "localhost" ? "127.0.0.1" : parsed->host)
             : std::nullopt;
  if (!address || !parsed->port)
    return "'" + text + "' is not an ADDRESS:PORT such as 127.0.0.1:8080 or [::1]:8080";
  to = *address;
  port = *parsed->port;
  return {};
}

std::string set_endpoint(options& to, const std::string& text) {
  return read_endpoint(text, to.address, to.port);
}

std::string set_status_endpoint(options& to, const std::string& text) {
  return read_endpoint(text, to.status_address.emplace(), to.status_port);
}

std::string add_host(options& to, const std::string& text) {
  auto parsed = http::authority::parse(text);
  if (!parsed || parsed->port)
    return "'" + text + "' is not a host name such as auth.example.org";
  to.hosts.push_back(parsed->host);
  return {};
}

std::string add_proxy(options& to, const std::string& text) {
  auto address = http::ip_address::parse(text);
  if (!address)
    return "'" + text + "' is not an IP address such as 127.0.0.1";
  to.trusted_proxies.push_back(*address);
  return {};
}

std::string set_map_limit(options& to, const std::string& text) {
  constexpr std::string_view suffixes = "KMGT";
  std::uint64_t number = 0;
  const auto* end = text.data() + text.size();
  auto [rest, problem] = std::from_chars(text.data(), end, number);
  std::size_t power = 0;
  if (problem == std::errc{} && rest != end) {
    power = suffixes.find(*rest) + 1;  // 0 where there is no such suffix
    ++rest;
    if (power == 0)
      problem = std::errc::invalid_argument;
  }
  auto factor = std::uint64_t{1} << (10 * power);
  if (problem != std::errc{} || rest != end ||
      number > std::numeric_limits<std::size_t>::max() / factor ||
      number * factor < smallest_map_limit_bytes)
    return "'" + text + "' is not a number of bytes such as 64M or 2G, from 1M on";
  to.map_limit_bytes = static_cast<std::size_t>(number * factor);
  return {};
}

// CLI11 calls it for every value; what it throws becomes the one line of the error.
template <class Set>
auto each(const char* option, options& to, Set set) {
  return [option, &to, set](const std::string& text) {
    if (auto error = set(to, text); !error.empty())
      throw CLI::ValidationError{option, error};
  };
}

std::string first_line(std::string text) {
  return text.substr(0, text.find('\n'));
}

}  // namespace

std::variant<options, early_exit> parse_options(int argc, const char* const* argv) {
  options parsed;
  parsed.address = *http::ip_address::parse("127.0.0.1");
  std::string cost = "interactive";
  std::string admin;

  CLI::App app{"Registration, sign-in and \"who am I\" as one node.", "auth-node"};
  app.footer(examples);
  // So that a script's own options come before those passed on to it.
  app.option_defaults()->take_last();
  app.set_version_flag("--version", version, "Print the version and exit");
  app.add_option("--data", parsed.data, "Directory of the journal and all that is derived from it")
      ->option_text("DIR [./data]")
      ->check([](const std::string& directory) {
        return directory.empty() ? std::string{"name a directory"} : std::string{};
      });
  app.add_option_function<std::string>("--http", each("--http", parsed, set_endpoint),
                                       "Where to serve; port 0 takes a free one")
      ->option_text("ADDRESS:PORT [127.0.0.1:8080]");
  app.add_option("--threads", parsed.threads, "Threads that run handlers")
      ->option_text("N [one a core]")
      ->check(CLI::Range(1U, thread_limit));
  app.add_option_function<std::string>(
         "--map-limit", each("--map-limit", parsed, set_map_limit),
         "The most the journal may grow to, and the address space it may take; suffixes K, M, G, T")
      ->option_text("BYTES [what the machine has]");
  app.add_option("--password-cost", cost, "Cost of hashing a password; minimum is for tests")
      ->check(CLI::IsMember({"interactive", "minimum"}))
      ->option_text("interactive|minimum [interactive]");
  app.add_option("--registration-limit", parsed.registration_limit,
                 "Registrations per minute and address; 0 for no limit")
      ->option_text("N [30]")
      ->check(CLI::Range(std::size_t{0}, registration_limit_limit));
  app.add_option_function<std::string>("--host", each("--host", parsed, add_host),
                                       "A further name to answer to; may be repeated")
      ->type_name("NAME")
      ->trigger_on_parse();
  app.add_option_function<std::string>(
         "--trust-proxy", each("--trust-proxy", parsed, add_proxy),
         "Believe this proxy who its client is, and that it speaks TLS; may be repeated")
      ->type_name("ADDRESS")
      ->trigger_on_parse();
  app.add_flag("--public-metrics", parsed.public_metrics, "Serve /metrics to everybody");
  auto* cluster =
      app.add_option("--cluster", parsed.cluster,
                     "Be one node of this cluster file; without it one process does all")
          ->type_name("FILE");
  auto* node = app.add_option("--node", parsed.node, "Which node of the cluster file this is")
                   ->type_name("NAME");
  cluster->needs(node);
  node->needs(cluster);
  app.add_flag("--insecure", parsed.insecure,
               "Let the links of the cluster go beyond this machine without TLS")
      ->needs(cluster);
  app.add_option_function<std::string>(
         "--status-http", each("--status-http", parsed, set_status_endpoint),
         "Where a node without the gateway serves /metrics and /healthz")
      ->type_name("ADDRESS:PORT")
      ->needs(cluster);
  auto* create = app.add_option("--create-admin", admin,
                                "Register an admin, whose password is read from the terminal or "
                                "standard input, and exit")
                     ->type_name("EMAIL")
                     ->excludes(cluster);
  app.add_option("--log-level", parsed.log_level, "How much to log, on standard error")
      ->check(CLI::IsMember({"trace", "debug", "info", "warning", "error", "off"}))
      ->option_text("trace|debug|info|warning|error|off [info]");
  app.add_flag("--describe", parsed.describe,
               "Print which component serves, publishes and listens to which message, as text or "
               "(--describe=dot) as a graph, and exit")
      ->option_text("[=dot]");
  try {
    app.parse(argc, argv);
  } catch (const CLI::CallForHelp&) {
    return early_exit{0, app.help()};
  } catch (const CLI::CallForVersion&) {
    return early_exit{0, std::string{version} + '\n'};
  } catch (const CLI::ParseError& error) {
    return early_exit{exit_wrong_use,
                      "auth-node: " + first_line(error.what()) + "; see auth-node --help\n"};
  }
  if (parsed.describe == "true")  // CLI11's word for a flag alone
    parsed.describe = "text";
  if (!parsed.describe.empty() && parsed.describe != "text" && parsed.describe != "dot")
    return early_exit{exit_wrong_use,
                      "auth-node: --describe is followed by nothing or =dot, not =" +
                          first_line(parsed.describe) + "; see auth-node --help\n"};
  if (cost == "minimum")
    parsed.password_cost = password_cost::minimum;
  if (create->count() > 0)
    parsed.create_admin = admin;
  return parsed;
}

}  // namespace auth
