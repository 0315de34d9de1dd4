#include <microlith/actors/internal/cluster/cluster_file.hpp>

#define TOML_EXCEPTIONS 0
#define TOML_HEADER_ONLY 1
#define TOML_ENABLE_FORMATTERS 0
#include <toml++/toml.h>

#include <algorithm>
#include <charconv>
#include <fstream>
#include <iterator>

namespace microlith::internal {

namespace {

using outcome = std::optional<std::string>;  // an error, or none

storage_error unusable(std::string text) {
  return {.kind = storage_error_kind::unusable, .text = std::move(text)};
}

std::string line_of(const toml::node& at) {
  auto line = at.source().begin.line;
  return line == 0 ? std::string{} : " (line " + std::to_string(line) + ")";
}

std::string list_of(const std::vector<std::string>& names) {
  std::string text;
  for (const auto& name : names)
    text += (text.empty() ? "" : ", ") + name;
  return text;
}

outcome only_keys(const toml::table& table, const std::string& where,
                  const std::vector<std::string>& known) {
  for (const auto& [key, value] : table) {
    if (std::find(known.begin(), known.end(), key.str()) == known.end())
      return where + " has the key '" + std::string{key.str()} + "'" + line_of(value) +
             ", which means nothing there; known are: " + list_of(known);
  }
  return {};
}

outcome text_of(const toml::table& table, const std::string& where, const char* key,
                std::string& out) {
  const auto* found = table.get(key);
  if (found == nullptr)
    return where + " has no '" + key + "'; it is needed";
  auto text = found->value<std::string>();
  if (!text || text->empty())
    return where + ": '" + key + "'" + line_of(*found) + " must be a text in quotes";
  out = *text;
  return {};
}

bool good_node_name(std::string_view name) {
  return !name.empty() && name.size() <= max_node_name_bytes &&
         std::all_of(name.begin(), name.end(), [](char c) {
           return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                  c == '-' || c == '_' || c == '.';
         });
}

outcome read_node(const std::string& name, const toml::node& from, cluster_node& out) {
  auto where = "[nodes." + name + "]";
  if (!good_node_name(name))
    return where + line_of(from) + ": a node's name has 1 to " +
           std::to_string(max_node_name_bytes) + " letters, digits, '-', '_' and '.'";
  if (name == operator_name)
    return where + line_of(from) + ": that name is the tool's; give the node another one";
  const auto* table = from.as_table();
  if (table == nullptr)
    return where + line_of(from) + " must be a table with listen and hosts";
  if (auto wrong = only_keys(*table, where, {"listen", "hosts"}))
    return wrong;
  out.name = name;
  std::string listen;
  if (auto wrong = text_of(*table, where, "listen", listen))
    return wrong;
  auto address = parse_endpoint(listen);
  if (!address)
    return where + ": listen = \"" + listen +
           "\" is not an ADDRESS:PORT such as 127.0.0.1:4101 or [::1]:4101";
  out.host = address->host;
  out.port = address->port;
  const auto* hosts = table->get("hosts");
  if (hosts == nullptr || hosts->as_array() == nullptr)
    return where + " needs hosts, a list of components such as [\"journal\"]; it may be empty";
  for (const auto& each : *hosts->as_array()) {
    auto component = each.value<std::string>();
    if (!component || component->empty())
      return where + ": hosts" + line_of(each) + " must hold names of components in quotes";
    out.hosts.push_back(*component);
  }
  return {};
}

outcome read_tls(const toml::node& from, const std::filesystem::path& base, cluster_tls& out) {
  const auto* table = from.as_table();
  if (table == nullptr)
    return "tls" + line_of(from) + " must be a table with certificate, key and authority";
  if (auto wrong = only_keys(*table, "[tls]", {"certificate", "key", "authority"}))
    return wrong;
  std::string certificate;
  std::string key;
  std::string authority;
  if (auto wrong = text_of(*table, "[tls]", "certificate", certificate))
    return wrong;
  if (auto wrong = text_of(*table, "[tls]", "key", key))
    return wrong;
  if (auto wrong = text_of(*table, "[tls]", "authority", authority))
    return wrong;
  out = {base / certificate, base / key, base / authority};
  return {};
}

outcome read_timings(const toml::node& from, cluster_timings& out) {
  const auto* table = from.as_table();
  if (table == nullptr)
    return "timings" + line_of(from) + " must be a table";
  if (auto wrong = only_keys(*table, "[timings]", {"silence_ms", "lost_after_ms"}))
    return wrong;
  auto read = [&](const char* key, std::int64_t least, std::chrono::milliseconds& to) -> outcome {
    constexpr std::int64_t most = 24 * 3'600 * 1'000;
    const auto* found = table->get(key);
    if (found == nullptr)
      return {};
    auto number = found->value_exact<std::int64_t>();
    if (!number || *number < least || *number > most)
      return std::string{"[timings]: "} + key + line_of(*found) +
             " must be a number of milliseconds, " + std::to_string(least) + " to " +
             std::to_string(most);
    to = std::chrono::milliseconds{*number};
    return {};
  };
  if (auto wrong = read("silence_ms", 50, out.silence))
    return wrong;
  return read("lost_after_ms", 50, out.lost_after);
}

// What must hold between the nodes.
outcome check_nodes(const cluster_file& file) {
  if (file.nodes.empty())
    return "it names no node; add a table [nodes.NAME] for each";
  if (file.nodes.size() > max_cluster_nodes)
    return "it names " + std::to_string(file.nodes.size()) + " nodes, the most are " +
           std::to_string(max_cluster_nodes);
  std::map<std::string, std::string> host_of;
  std::map<std::string, std::string> at_address;
  for (const auto& [name, node] : file.nodes) {
    for (const auto& component : node.hosts) {
      auto [there, added] = host_of.emplace(component, name);
      if (!added)
        return "component '" + component + "' is hosted twice, by " + there->second + " and by " +
               name + "; leave it with one of them";
    }
    auto [there, added] = at_address.emplace(node.address(), name);
    if (!added)
      return "nodes " + there->second + " and " + name + " both listen on " + node.address() +
             "; give each an address of its own";
  }
  if (!host_of.contains(std::string{journal_component}))
    return "no node hosts the journal; add \"journal\" to the hosts of exactly one";
  return {};
}

std::string replaced(const std::filesystem::path& path, const std::string& node) {
  auto text = path.string();
  constexpr std::string_view mark = "{node}";
  for (auto at = text.find(mark); at != std::string::npos; at = text.find(mark, at + node.size()))
    text.replace(at, mark.size(), node);
  return text;
}

}  // namespace

std::optional<endpoint> parse_endpoint(std::string_view text) {
  auto colon = text.rfind(':');
  if (colon == std::string_view::npos || colon == 0)
    return std::nullopt;
  auto host = text.substr(0, colon);
  auto port_text = text.substr(colon + 1);
  std::uint16_t port = 0;
  auto [end, error] = std::from_chars(port_text.data(), port_text.data() + port_text.size(), port);
  if (error != std::errc{} || end != port_text.data() + port_text.size() || port == 0)
    return std::nullopt;
  if (host.front() == '[') {
    if (host.back() != ']' || host.size() < 4)
      return std::nullopt;
    host = host.substr(1, host.size() - 2);
    auto fits = [](char c) {
      return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F') ||
             c == ':' || c == '.';
    };
    if (!std::all_of(host.begin(), host.end(), fits))
      return std::nullopt;
  } else if (host.find(':') != std::string_view::npos || !good_node_name(host)) {
    return std::nullopt;
  }
  return endpoint{std::string{host}, port};
}

std::string cluster_node::address() const {
  bool v6 = host.find(':') != std::string::npos;
  return (v6 ? '[' + host + ']' : host) + ':' + std::to_string(port);
}

bool cluster_node::is_loopback() const {
  return host.rfind("127.", 0) == 0 || host == "::1" || host == "localhost";
}

const cluster_node* cluster_file::host_of(std::string_view component) const {
  for (const auto& [name, node] : nodes) {
    if (std::find(node.hosts.begin(), node.hosts.end(), component) != node.hosts.end())
      return &node;
  }
  return nullptr;
}

cluster_tls cluster_file::tls_of(const std::string& node) const {
  return {replaced(tls->certificate, node), replaced(tls->key, node), tls->authority};
}

result<cluster_file, storage_error> parse_cluster_file(std::string_view text,
                                                       const std::filesystem::path& path) {
  auto wrong = [&](const std::string& what) {
    return unusable("cannot use the cluster file " + path.string() + ": " + what);
  };
  auto parsed = toml::parse(text);
  if (!parsed) {
    const auto& error = parsed.error();
    return wrong("line " + std::to_string(error.source().begin.line) + ": " +
                 std::string{error.description()});
  }
  const auto& table = parsed.table();
  if (auto unknown = only_keys(table, "it", {"nodes", "tls", "secret", "timings"}))
    return wrong(*unknown);
  cluster_file file;
  file.path = path;
  if (const auto* nodes = table.get("nodes")) {
    if (nodes->as_table() == nullptr)
      return wrong("nodes must be tables, [nodes.NAME] for each");
    for (const auto& [key, value] : *nodes->as_table()) {
      std::string name{key.str()};
      if (auto bad = read_node(name, value, file.nodes[name]))
        return wrong(*bad);
    }
  }
  file.secret = path.string() + ".secret";
  if (table.contains("secret")) {
    std::string secret;
    if (auto bad = text_of(table, "it", "secret", secret))
      return wrong(*bad);
    file.secret = path.parent_path() / secret;
  }
  if (const auto* tls = table.get("tls")) {
    if (auto bad = read_tls(*tls, path.parent_path(), file.tls.emplace()))
      return wrong(*bad);
  }
  if (const auto* timings = table.get("timings")) {
    if (auto bad = read_timings(*timings, file.timings))
      return wrong(*bad);
  }
  if (auto bad = check_nodes(file))
    return wrong(*bad);
  return file;
}

result<cluster_file, storage_error> read_cluster_file(const std::filesystem::path& path) {
  std::ifstream in{path, std::ios::binary};
  if (!in)
    return unusable("cannot read the cluster file " + path.string() +
                    "; check the path and its permissions");
  std::string text;
  char chunk[4096];
  while (in.read(chunk, sizeof chunk) || in.gcount() != 0) {
    text.append(chunk, static_cast<std::size_t>(in.gcount()));
    if (text.size() > max_cluster_file_bytes)
      return unusable("cannot use the cluster file " + path.string() + ": it has more than " +
                      std::to_string(max_cluster_file_bytes) + " bytes");
  }
  return parse_cluster_file(text, path);
}

std::optional<std::string> problem_with(const cluster_file& file, const std::string& node,
                                        const std::set<std::string>& components) {
  auto wrong = [&](const std::string& what) {
    return "cannot use the cluster file " + file.path.string() + ": " + what;
  };
  std::vector<std::string> names;
  for (const auto& [name, each] : file.nodes)
    names.push_back(name);
  if (!file.nodes.contains(node))
    return wrong("it has no node '" + node + "'; it has: " + list_of(names));
  for (const auto& [name, each] : file.nodes) {
    for (const auto& component : each.hosts) {
      if (component != journal_component && !components.contains(component))
        return wrong("node " + name + " hosts '" + component +
                     "', which this program does not have; it has: " +
                     list_of({components.begin(), components.end()}) + " and journal");
    }
  }
  for (const auto& component : components) {
    if (file.host_of(component) == nullptr)
      return wrong("no node hosts the component '" + component +
                   "'; add it to the hosts of exactly one");
  }
  return {};
}

}  // namespace microlith::internal
