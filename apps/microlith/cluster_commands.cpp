#include "microlith/cluster_certificates.hpp"
#include "microlith/cluster_views.hpp"
#include "microlith/command.hpp"

#include <CLI/CLI.hpp>

#include <algorithm>
#include <iostream>
#include <memory>
#include <thread>

namespace tool {

namespace {

constexpr std::chrono::seconds watch_pause{1};

struct status_options {
  std::filesystem::path file;
  bool json = false;
  bool watch = false;
};

int show_status(const status_options& options) {
  auto cluster = microlith::cluster_client::open(options.file);
  if (!cluster)
    return complain(cluster.error());
  for (;;) {
    auto nodes = (*cluster)->status();
    std::cout << (options.json ? json_of(nodes) + '\n' : text_of(nodes));
    if (auto ended = finish_output(); !options.watch || ended != exit_fine)
      return ended;
    if (!options.json)
      std::cout << '\n';
    std::this_thread::sleep_for(watch_pause);
  }
}

struct move_options {
  std::filesystem::path file;
  std::string component;
  std::string to;
};

int move_component(const move_options& options) {
  auto cluster = microlith::cluster_client::open(options.file);
  if (!cluster)
    return complain(cluster.error());
  if (auto moved = (*cluster)->move(options.component, options.to); !moved)
    return complain(moved.error().text);
  std::cout << options.component << " runs on node " << options.to << '\n';
  return finish_output();
}

int make_certificates(certificates_wanted wanted) {
  // Whoever asks nodes that have certificates needs one, too.
  const std::string caller = "operator";
  if (std::find(wanted.nodes.begin(), wanted.nodes.end(), caller) == wanted.nodes.end() &&
      !std::filesystem::exists(wanted.directory / (caller + ".pem")))
    wanted.nodes.push_back(caller);
  auto made = make_cluster_certificates(wanted);
  if (!made)
    return complain(made.error());
  for (const auto& file : *made)
    std::cout << file.string() << '\n';
  return finish_output();
}

}  // namespace

void add_cluster_commands(CLI::App& group, chosen_command& chosen) {
  auto add_file = [](CLI::App& to, std::filesystem::path& file) {
    to.add_option("--cluster", file, "The cluster file of the nodes")->required();
  };
  auto about = std::make_shared<status_options>();
  auto* status = group.add_subcommand(
      "status", "How the nodes are: components, links, lag, what is in flight");
  add_file(*status, about->file);
  status->add_flag("--json", about->json, "One line of JSON");
  status->add_flag("--watch", about->watch, "Again every second");
  status->callback([=, &chosen] { chosen.run = [=] { return show_status(*about); }; });

  auto where = std::make_shared<move_options>();
  auto* move = group.add_subcommand("move", "Move a component to another node, while all work");
  move->add_option("COMPONENT", where->component, "Its name in the cluster file")->required();
  move->add_option("--to", where->to, "The node that is to run it")->required();
  add_file(*move, where->file);
  move->callback([=, &chosen] { chosen.run = [=] { return move_component(*where); }; });

  auto wanted = std::make_shared<certificates_wanted>();
  auto days = std::make_shared<int>(static_cast<int>(wanted->valid.count()));
  auto* certificates = group.add_subcommand(
      "certificates", "Make a test authority, and certificates of nodes and operator for [tls]");
  certificates->add_option("DIR", wanted->directory, "Where the files go")->required();
  certificates->add_option("--node", wanted->nodes, "A node's name in the cluster file; repeat it")
      ->required();
  certificates->add_option("--days", *days, "How long they are valid")
      ->check(CLI::Range(1, 3'650))
      ->capture_default_str();
  certificates->callback([=, &chosen] {
    chosen.run = [=] {
      wanted->valid = std::chrono::days{*days};
      return make_certificates(*wanted);
    };
  });
}

}  // namespace tool
