// The cluster files that come with the sample.

#include "auth/components.hpp"

#include <microlith/actors/internal/cluster/cluster_file.hpp>

#include <boost/test/unit_test.hpp>

#include <filesystem>
#include <set>
#include <string>

using microlith::internal::cluster_file;
namespace fs = std::filesystem;

namespace {

const fs::path folder = fs::path{MICROLITH_TESTS_DIR}.parent_path() / "apps/auth/cluster";

cluster_file read(const fs::path& path) {
  auto file = microlith::internal::read_cluster_file(path);
  BOOST_REQUIRE_MESSAGE(file.has_value(), (file ? "" : file.error().text));
  return std::move(*file);
}

}  // namespace

BOOST_AUTO_TEST_SUITE(cluster_files)

BOOST_AUTO_TEST_CASE(each_of_them_places_what_the_sample_is_made_of) {
  std::set<std::string> names;
  for (const auto& component : auth::components())
    names.insert(component.name());
  int files = 0;
  for (const auto& entry : fs::directory_iterator{folder}) {
    if (entry.path().extension() != ".toml")
      continue;
    ++files;
    auto file = read(entry.path());
    BOOST_TEST(file.nodes.size() == 3U);
    std::set<std::string> hosted;
    for (const auto& [name, node] : file.nodes) {
      auto problem = problem_with(file, name, names);
      BOOST_TEST(!problem.has_value(), problem.value_or(""));
      hosted.insert(node.hosts.begin(), node.hosts.end());
    }
    auto all = names;
    all.insert("journal");
    BOOST_TEST(hosted == all, boost::test_tools::per_element());
  }
  BOOST_TEST(files == 2);
}

BOOST_AUTO_TEST_CASE(one_machine_needs_loopback_alone) {
  auto file = read(folder / "one-machine.toml");
  for (const auto& [name, node] : file.nodes)
    BOOST_TEST(node.is_loopback(), name);
  BOOST_TEST(!file.tls.has_value());
}

BOOST_AUTO_TEST_CASE(on_three_machines_each_node_has_its_own_address_and_certificate) {
  auto file = read(folder / "three-machines.toml");
  BOOST_REQUIRE(file.tls.has_value());
  std::set<std::string> hosts;
  std::set<fs::path> certificates;
  for (const auto& [name, node] : file.nodes) {
    BOOST_TEST(!node.is_loopback(), name);
    hosts.insert(node.host);
    auto tls = file.tls_of(name);
    certificates.insert(tls.certificate);
    // As `microlith cluster certificates` makes them.
    BOOST_TEST(tls.certificate == folder / "certificates" / (name + ".pem"));
    BOOST_TEST(tls.key == folder / "certificates" / (name + ".key"));
    BOOST_TEST(tls.authority == folder / "certificates" / "authority.pem");
  }
  BOOST_TEST(hosts.size() == 3U);
  BOOST_TEST(certificates.size() == 3U);
}

BOOST_AUTO_TEST_SUITE_END()
