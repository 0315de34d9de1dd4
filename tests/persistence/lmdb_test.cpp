#include "persistence/child.hpp"
#include "support/temporary_directory.hpp"

#include <microlith/persistence/internal/lmdb.hpp>

#include <boost/test/unit_test.hpp>
#include <sys/resource.h>

#include <cstdint>
#include <fstream>
#include <string>

using namespace microlith;
using namespace microlith::internal;
using sample::in_child;

namespace {

constexpr std::size_t little = std::size_t{256} << 10;
constexpr std::size_t enough = std::size_t{64} << 20;
const std::string value(100'000, 'x');

void write(environment& env, std::uint32_t number) {
  growing(env, [&] {
    lmdb_transaction t{env, lmdb_transaction::access::write};
    t.put(t.open_table(nullptr, 0), "key" + std::to_string(number),
          std::as_bytes(std::span{value.data(), value.size()}));
    t.commit();
  });
}

bool is_there(const lmdb_transaction& t, MDB_dbi table, std::uint32_t number) {
  auto found = t.find(table, "key" + std::to_string(number));
  return found && found->size() == value.size() && found->back() == std::byte{'x'};
}

}  // namespace

BOOST_AUTO_TEST_SUITE(lmdb)

BOOST_AUTO_TEST_CASE(a_map_grows_between_transactions) {
  test::temporary_directory directory;
  environment env{directory.path(), {.map_bytes = little, .map_limit_bytes = enough}};
  auto generation = env.map_generation();
  for (std::uint32_t i = 0; i < 50; ++i)
    write(env, i);
  BOOST_TEST(env.map_generation() != generation);
  BOOST_TEST(env.map_bytes() > 50 * value.size());
  lmdb_transaction t{env, lmdb_transaction::access::read};
  auto table = t.open_table(nullptr, 0);
  for (std::uint32_t i = 0; i < 50; ++i)
    BOOST_TEST(is_there(t, table, i));
}

BOOST_AUTO_TEST_CASE(a_map_does_not_grow_while_a_transaction_is_open_or_past_its_limit) {
  test::temporary_directory directory;
  environment env{directory.path(), {.map_bytes = little, .map_limit_bytes = 3 * little}};
  lmdb_transaction t{env, lmdb_transaction::access::read};
  auto generation = env.map_generation();
  BOOST_TEST(!env.grow());
  BOOST_TEST(env.map_generation() == generation);
  t.reset();
  BOOST_TEST(env.grow());
  BOOST_TEST(env.map_bytes() == 2 * little);
  BOOST_TEST(env.grow());
  BOOST_TEST(env.map_bytes() == 3 * little);
  BOOST_TEST(!env.grow());
  t.renew();
}

BOOST_AUTO_TEST_CASE(a_reader_follows_a_map_that_another_process_has_grown) {
  test::temporary_directory directory;
  environment env{directory.path(), {.map_bytes = little, .map_limit_bytes = little}};
  write(env, 0);
  lmdb_transaction old{env, lmdb_transaction::access::read};
  old.reset();
  BOOST_TEST(in_child([&] {
    environment writer{directory.path(), {.map_bytes = little, .map_limit_bytes = enough}};
    for (std::uint32_t i = 1; i < 20; ++i)
      write(writer, i);
    return true;
  }));
  old.renew();
  auto table = old.open_table(nullptr, 0);
  BOOST_TEST(is_there(old, table, 19));
  lmdb_transaction fresh{env, lmdb_transaction::access::read};
  BOOST_TEST(is_there(fresh, table, 0));
  BOOST_TEST(is_there(fresh, table, 19));
}

#if !defined(__SANITIZE_ADDRESS__)  // which reserves more than the limit
BOOST_AUTO_TEST_CASE(a_map_takes_what_address_space_there_is_and_the_old_one_stays) {
  test::temporary_directory directory;
  BOOST_TEST(in_child([&] {
    // Beside what other tests have left reserved.
    std::size_t pages = 0;
    std::ifstream{"/proc/self/statm"} >> pages;
    constexpr std::size_t room = std::size_t{256} << 20;
    rlimit limit{pages * static_cast<std::size_t>(::sysconf(_SC_PAGESIZE)) + room, RLIM_INFINITY};
    if (::setrlimit(RLIMIT_AS, &limit) != 0)
      return false;
    // More than there is: less is taken. Growing ends where there is no more, and harms nothing.
    environment env{directory.path(),
                    {.map_bytes = std::size_t{1} << 30, .map_limit_bytes = std::size_t{1} << 31}};
    write(env, 0);
    while (env.grow()) {
    }
    write(env, 1);
    lmdb_transaction t{env, lmdb_transaction::access::read};
    auto table = t.open_table(nullptr, 0);
    return env.map_bytes() < room && is_there(t, table, 0) && is_there(t, table, 1);
  }));
}
#endif

BOOST_AUTO_TEST_SUITE_END()
