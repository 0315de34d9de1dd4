#include "support/temporary_directory.hpp"

#include <microlith/actors/internal/link/secret_file.hpp>

#include <sys/stat.h>
#include <unistd.h>

#include <fstream>
#include <thread>

using microlith::internal::read_or_make_secret;
using microlith::test::temporary_directory;

BOOST_AUTO_TEST_SUITE(secret_file)

BOOST_AUTO_TEST_CASE(the_first_makes_it_for_its_user_alone_and_all_read_the_same) {
  temporary_directory directory;
  auto file = directory.path() / "secret";
  std::vector<std::string> read(8);
  std::vector<std::thread> nodes;
  for (auto& one : read)
    nodes.emplace_back([&one, file] {
      auto secret = read_or_make_secret(file);
      one = secret ? secret->reveal() : secret.error().text;
    });
  for (auto& node : nodes)
    node.join();
  BOOST_TEST(read[0].size() == 64U);
  for (const auto& one : read)
    BOOST_TEST((one == read[0]));
  struct stat about {};
  BOOST_TEST(::stat(file.c_str(), &about) == 0);
  BOOST_TEST((about.st_mode & 0777U) == 0600U);
  BOOST_TEST(std::distance(std::filesystem::directory_iterator{directory.path()}, {}) == 1);
}

BOOST_AUTO_TEST_CASE(what_others_may_read_is_refused) {
  temporary_directory directory;
  auto file = directory.path() / "secret";
  BOOST_TEST(read_or_make_secret(file).has_value());
  ::chmod(file.c_str(), 0640);
  auto refused = read_or_make_secret(file);
  BOOST_TEST(!refused.has_value());
  BOOST_TEST(refused.error().text.find("mode 0600") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(what_holds_no_secret_or_is_no_file_is_refused) {
  temporary_directory directory;
  auto file = directory.path() / "secret";
  std::ofstream{file} << "1234\n";
  ::chmod(file.c_str(), 0600);
  BOOST_TEST(!read_or_make_secret(file).has_value());
  auto link = directory.path() / "link";
  std::filesystem::create_symlink(file, link);
  BOOST_TEST(!read_or_make_secret(link).has_value());
  BOOST_TEST(!read_or_make_secret(directory.path() / "not there" / "secret").has_value());
}

BOOST_AUTO_TEST_SUITE_END()
