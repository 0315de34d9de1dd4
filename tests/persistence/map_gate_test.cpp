#include <microlith/persistence/internal/map_gate.hpp>

#include <boost/test/unit_test.hpp>

#include <atomic>
#include <chrono>
#include <thread>
#include <vector>

using namespace std::chrono_literals;

BOOST_AUTO_TEST_SUITE(map_gate)

BOOST_AUTO_TEST_CASE(it_closes_when_nobody_is_inside) {
  microlith::internal::map_gate gate;
  BOOST_TEST(gate.close(1min));
  gate.open();
  gate.enter();
  BOOST_TEST(!gate.close(1ms));
  gate.leave();
  BOOST_TEST(gate.close(1min));
}

BOOST_AUTO_TEST_CASE(after_giving_up_it_is_open) {
  microlith::internal::map_gate gate;
  gate.enter();
  BOOST_TEST(!gate.close(1ms));
  gate.enter();
  gate.leave();
  gate.leave();
  BOOST_TEST(gate.close(1min));
}

BOOST_AUTO_TEST_CASE(nobody_is_inside_while_it_is_closed) {
  microlith::internal::map_gate gate;
  std::atomic<int> inside{0};
  std::atomic<bool> done{false};
  std::vector<std::thread> threads;
  for (int i = 0; i < 3; ++i)
    threads.emplace_back([&] {
      while (!done) {
        gate.enter();
        ++inside;
        --inside;
        gate.leave();
      }
    });
  for (int i = 0; i < 200; ++i) {
    BOOST_REQUIRE(gate.close(1min));
    BOOST_TEST(inside == 0);
    gate.open();
  }
  done = true;
  for (auto& thread : threads)
    thread.join();
}

BOOST_AUTO_TEST_SUITE_END()
