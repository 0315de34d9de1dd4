#include <microlith/actors/internal/inbox.hpp>

#include <boost/test/unit_test.hpp>

#include <atomic>
#include <memory>
#include <thread>
#include <utility>
#include <vector>

namespace {

template <class T>
using messages_for = microlith::internal::inbox<T>;

BOOST_AUTO_TEST_SUITE(inbox)

BOOST_AUTO_TEST_CASE(only_the_first_message_rings) {
  messages_for<int> waiting;
  BOOST_TEST(waiting.push(1));
  BOOST_TEST(!waiting.push(2));
  BOOST_TEST(waiting.depth() == 2U);
  BOOST_TEST(*waiting.next() == 1);
  BOOST_TEST(!waiting.push(3));
  BOOST_TEST(*waiting.next() == 2);
  BOOST_TEST(!waiting.push(4));
  BOOST_TEST(*waiting.next() == 3);
  BOOST_TEST(*waiting.next() == 4);
}

BOOST_AUTO_TEST_CASE(after_the_reader_has_found_nothing_the_next_message_rings_again) {
  messages_for<int> waiting;
  BOOST_TEST(waiting.push(1));
  BOOST_TEST(*waiting.next() == 1);
  BOOST_TEST(!waiting.filled());
  BOOST_TEST(waiting.next() == nullptr);
  BOOST_TEST(waiting.push(2));
  BOOST_TEST(waiting.filled());
}

BOOST_AUTO_TEST_CASE(a_reader_that_attends_is_not_rung) {
  messages_for<int> waiting;
  waiting.attend();
  BOOST_TEST(!waiting.push(1));
  BOOST_TEST(waiting.filled());
  BOOST_TEST(*waiting.next() == 1);
  BOOST_TEST(waiting.next() == nullptr);
  BOOST_TEST(waiting.push(2));
}

BOOST_AUTO_TEST_CASE(what_is_pushed_together_comes_in_order_after_what_waits) {
  messages_for<int> waiting;
  std::vector<int> some{1, 2};
  BOOST_TEST(waiting.push_all(some));
  BOOST_TEST(some.empty());
  some = {3, 4};
  BOOST_TEST(!waiting.push_all(some));
  BOOST_TEST(some.empty());
  for (int expected = 1; expected <= 4; ++expected)
    BOOST_TEST(*waiting.next() == expected);
  BOOST_TEST(waiting.next() == nullptr);
  some = {5};
  BOOST_TEST(waiting.push_all(some));
}

BOOST_AUTO_TEST_CASE(a_closed_inbox_leaves_what_comes_to_whoever_brings_it) {
  using microlith::internal::pushed;
  messages_for<std::unique_ptr<int>> waiting;
  auto one = std::make_unique<int>(1);
  auto two = std::make_unique<int>(2);
  auto three = std::make_unique<int>(3);
  BOOST_TEST((waiting.push_unless_closed(one) == pushed::must_ring));
  BOOST_TEST((waiting.push_unless_closed(two) == pushed::quietly));
  waiting.close();
  BOOST_TEST((waiting.push_unless_closed(three) == pushed::not_at_all));
  BOOST_REQUIRE(three);
  BOOST_TEST(**waiting.next() == 1);
  BOOST_TEST(**waiting.next() == 2);
  BOOST_TEST(waiting.next() == nullptr);
}

BOOST_AUTO_TEST_CASE(nothing_is_lost_and_every_thread_keeps_its_order) {
  constexpr int threads = 4;
  constexpr int each = 20'000;
  messages_for<std::unique_ptr<std::pair<int, int>>> waiting;
  std::atomic<int> bells{0};
  std::vector<std::thread> all;
  for (int t = 0; t < threads; ++t)
    all.emplace_back([&, t] {
      for (int i = 0; i < each; ++i) {
        if (waiting.push(std::make_unique<std::pair<int, int>>(t, i)))
          bells.fetch_add(1);
      }
    });
  // Reads only when rung, as an actor does: a bell that is missing would leave it here for ever.
  std::vector<int> next(threads);
  int answered = 0;
  for (int read = 0; read < threads * each;) {
    if (bells.load() == answered) {
      std::this_thread::yield();
      continue;
    }
    ++answered;
    while (auto* message = waiting.next()) {
      auto [thread, number] = **message;
      BOOST_REQUIRE(number == next[static_cast<std::size_t>(thread)]++);
      ++read;
    }
  }
  for (auto& thread : all)
    thread.join();
  BOOST_TEST(waiting.next() == nullptr);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
