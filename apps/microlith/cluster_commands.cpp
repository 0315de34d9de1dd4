#include "microlith/cluster_certificates.hpp"
#include "microlith/command.hpp"

#include <CLI/CLI.hpp>

#include <iostream>
#include <memory>

namespace tool {

namespace {

int make_certificates(const certificates_wanted& wanted) {
  auto made = make_cluster_certificates(wanted);
  if (!made)
    return complain(made.error());
  for (const auto& file : *made)
    std::cout << file.string() << '\n';
  return finish_output();
}

}  // namespace

void add_cluster_commands(CLI::App& group, chosen_command& chosen) {
  auto wanted = std::make_shared<certificates_wanted>();
  auto days = std::make_shared<int>(static_cast<int>(wanted->valid.count()));
  auto* certificates = group.add_subcommand(
      "certificates", "Make a test authority, and certificates of nodes for [tls]");
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
