#include "apps/microlith/tool.hpp"

#include <boost/test/unit_test.hpp>
#include <sys/stat.h>

#include <fstream>

using tool::test::lines_of;
using tool::test::run;

namespace {

unsigned mode_of(const std::filesystem::path& file) {
  struct stat about {};
  BOOST_REQUIRE(::stat(file.c_str(), &about) == 0);
  return about.st_mode & 0777U;
}

std::string content_of(const std::filesystem::path& file) {
  std::ifstream from{file};
  return {std::istreambuf_iterator<char>{from}, {}};
}

}  // namespace

BOOST_AUTO_TEST_SUITE(cluster_certificates)

BOOST_AUTO_TEST_CASE(an_authority_and_certificates_of_nodes_and_operator_are_made) {
  microlith::test::temporary_directory directory;
  auto at = directory.path() / "certificates";
  auto end = run({"cluster", "certificates", at.string(), "--node", "a", "--node", "b"});
  BOOST_TEST(end.code == 0);
  BOOST_TEST(end.err == "");
  BOOST_TEST(lines_of(end.out).size() == 8U);
  // The tool itself calls the nodes as operator.
  for (std::string name : {"authority", "a", "b", "operator"}) {
    BOOST_TEST(content_of(at / (name + ".pem")).starts_with("-----BEGIN CERTIFICATE-----"));
    BOOST_TEST(mode_of(at / (name + ".key")) == 0600U);
  }
}

BOOST_AUTO_TEST_CASE(a_node_can_be_added_later_and_nothing_is_replaced) {
  microlith::test::temporary_directory directory;
  auto at = directory.path().string();
  BOOST_TEST(run({"cluster", "certificates", at, "--node", "a"}).code == 0);
  auto authority = content_of(directory.path() / "authority.pem");
  BOOST_TEST(lines_of(run({"cluster", "certificates", at, "--node", "b"}).out).size() == 2U);
  BOOST_TEST(content_of(directory.path() / "authority.pem") == authority);
  auto again = run({"cluster", "certificates", at, "--node", "c", "--node", "a"});
  BOOST_TEST(again.code == 2);
  BOOST_TEST(again.err.find("a.pem is there already") != std::string::npos);
  BOOST_TEST(!std::filesystem::exists(directory.path() / "c.pem"));
}

BOOST_AUTO_TEST_CASE(wrong_use_is_one_line_and_exits_2) {
  microlith::test::temporary_directory directory;
  auto at = directory.path().string();
  for (const auto& arguments : {std::vector<std::string>{"cluster", "certificates"},
                                {"cluster", "certificates", at},
                                {"cluster", "certificates", at, "--node", "A B"},
                                {"cluster", "certificates", at, "--node", "authority"},
                                {"cluster", "certificates", at, "--node", "a", "--node", "a"},
                                {"cluster", "certificates", at, "--node", "a", "--days", "0"},
                                {"cluster", "certificates", "/proc/none", "--node", "a"}}) {
    auto end = run(arguments);
    BOOST_TEST(end.code == 2);
    BOOST_TEST(lines_of(end.err).size() == 1U);
  }
}

BOOST_AUTO_TEST_SUITE_END()
