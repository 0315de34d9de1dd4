#include "support/temporary_directory.hpp"

#include <microlith/persistence/internal/witness.hpp>

#include <boost/test/unit_test.hpp>

#include <filesystem>
#include <fstream>

using namespace microlith;
using namespace microlith::internal;

BOOST_AUTO_TEST_SUITE(witness)

BOOST_AUTO_TEST_CASE(it_tells_what_it_was_told_last) {
  test::temporary_directory directory;
  auto file = directory.path() / "witness";
  BOOST_TEST(!read_witness(file).has_value());
  internal::witness w{file};
  BOOST_TEST(!read_witness(file).has_value());
  w.write({.epoch = {1, 2}, .position = 3, .running_hash = 4, .transaction = 5, .meta_hash = 6});
  w.write(
      {.epoch = {1, 2}, .position = 30, .running_hash = 40, .transaction = 50, .meta_hash = 60});
  w.sync();
  auto seen = read_witness(file);
  BOOST_TEST_REQUIRE(seen.has_value());
  BOOST_TEST((seen->epoch == message_id{1, 2}));
  BOOST_TEST(seen->position == 30U);
  BOOST_TEST(seen->running_hash == 40U);
  BOOST_TEST(seen->transaction == 50U);
  BOOST_TEST(seen->meta_hash == 60U);
}

BOOST_AUTO_TEST_CASE(one_that_is_not_whole_tells_nothing) {
  test::temporary_directory directory;
  auto path = directory.path() / "witness";
  internal::witness{path}.write({.epoch = {1, 2}, .position = 3});
  for (std::streamoff at = 0; at < 64; ++at) {
    std::fstream file{path, std::ios::binary | std::ios::in | std::ios::out};
    file.seekg(at);
    auto original = static_cast<char>(file.get());
    file.seekp(at);
    file.put(static_cast<char>(original ^ 1));
    file.flush();
    BOOST_TEST(!read_witness(path).has_value(), "byte " << at);
    file.seekp(at);
    file.put(original);
  }
  BOOST_TEST(read_witness(path).has_value());
  std::filesystem::resize_file(path, 63);
  BOOST_TEST(!read_witness(path).has_value());
}

BOOST_AUTO_TEST_SUITE_END()
