#include <microlith/messages/recycled.hpp>

#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <cstring>
#include <memory>
#include <mutex>
#include <set>
#include <thread>
#include <vector>

namespace {

using microlith::internal::give_recycled;
using microlith::internal::max_recycled_bytes;
using microlith::internal::recycling_allocator;
using microlith::internal::take_recycled;

BOOST_AUTO_TEST_SUITE(recycled)

BOOST_AUTO_TEST_CASE(what_is_in_use_never_overlaps) {
  for (std::size_t bytes : {std::size_t{1}, std::size_t{64}, std::size_t{65}, max_recycled_bytes,
                            max_recycled_bytes + 1}) {
    std::vector<unsigned char*> used;
    for (int round = 0; round < 3; ++round) {
      for (unsigned i = 0; i < 300; ++i) {
        used.push_back(static_cast<unsigned char*>(take_recycled(bytes)));
        std::memset(used.back(), static_cast<int>(used.size() % 251), bytes);
      }
      for (std::size_t i = 0; i < used.size(); ++i) {
        auto mark = static_cast<unsigned char>((i + 1) % 251);
        BOOST_REQUIRE(std::all_of(used[i], used[i] + bytes,
                                  [&](unsigned char byte) { return byte == mark; }));
      }
      for (std::size_t i = 0; i < 150; ++i) {
        give_recycled(used.back(), bytes);
        used.pop_back();
      }
    }
    for (auto* memory : used)
      give_recycled(memory, bytes);
  }
}

BOOST_AUTO_TEST_CASE(memory_that_another_thread_ends_comes_back) {
  // One thread makes, another ends: what it ends is used again, and nothing is handed out twice.
  constexpr std::size_t bytes = 200;
  constexpr std::size_t each = 1'000;
  std::set<void*> seen;
  std::size_t made = 0;
  for (int round = 0; round < 50; ++round) {
    std::vector<void*> batch;
    for (std::size_t i = 0; i < each; ++i) {
      batch.push_back(take_recycled(bytes));
      std::memset(batch.back(), round, bytes);
    }
    std::set<void*> distinct{batch.begin(), batch.end()};
    BOOST_REQUIRE(distinct.size() == each);
    seen.insert(batch.begin(), batch.end());
    made += each;
    std::thread{[&] {
      for (auto* memory : batch)
        give_recycled(memory, bytes);
    }}.join();
  }
  if (microlith::internal::recycles_memory())
    BOOST_TEST(seen.size() < made / 4);
}

BOOST_AUTO_TEST_CASE(shared_objects_live_in_it) {
  auto text = std::allocate_shared<std::string>(recycling_allocator<std::string>{}, 100U, 'x');
  std::weak_ptr<std::string> weak = text;
  BOOST_TEST(*text == std::string(100, 'x'));
  text.reset();
  BOOST_TEST(weak.expired());
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
