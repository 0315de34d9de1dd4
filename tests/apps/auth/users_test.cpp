#include "auth/users.hpp"

#include "support/temporary_directory.hpp"

#include <microlith/persistence/memory_journal.hpp>
#include <microlith/persistence/projection_store.hpp>

#include <boost/test/unit_test.hpp>

using namespace auth;
using namespace std::chrono_literals;

namespace {

const std::string alice = "alice@example.org";

microlith::wall_time now() {
  return std::chrono::floor<std::chrono::microseconds>(std::chrono::system_clock::now());
}

// The projection of a journal in memory.
class projected {
 public:
  template <class E>
  void append(E event) {
    microlith::envelope_head head;
    head.id = head.root = microlith::message_id::make();
    head.time = now();
    std::vector<microlith::append_request> requests(1);
    requests[0].events.push_back({microlith::envelope{std::move(head), std::move(event)}});
    auto outcomes = journal_->append(requests);
    BOOST_TEST_REQUIRE(std::holds_alternative<microlith::appended>(outcomes.front()));
  }

  std::optional<signed_in_user> current(const std::string& sid, microlith::wall_time when = now()) {
    auto progress = store_->catch_up(*journal_);
    BOOST_TEST_REQUIRE(progress.has_value());
    return store_->read([&](const microlith::read_transaction& rows) {
      return current_user({sid}, rows, when).user;
    });
  }

  std::uint64_t rows(std::string_view table) {
    BOOST_TEST_REQUIRE(store_->catch_up(*journal_).has_value());
    return store_->read([&](const microlith::read_transaction& rows) { return rows.count(table); });
  }

  void rebuild() { BOOST_TEST_REQUIRE(store_->rebuild(*journal_).has_value()); }

 private:
  microlith::test::temporary_directory directory_;
  std::unique_ptr<microlith::journal> journal_ = microlith::make_memory_journal();
  std::unique_ptr<microlith::projection_store> store_ =
      std::move(*microlith::projection_store::open(users_projection(),
                                                   {.directory = directory_.path()}, *journal_));
};

user_registered_event registered(role as = role::user) {
  return {alice, "hash", as};
}

user_logged_in_event signed_in(const std::string& sid, microlith::wall_time expires_at) {
  return {.email = alice,
          .role = role::user,
          .sid = sid,
          .expires_at = expires_at,
          .ends_at = expires_at + 12h};
}

}  // namespace

BOOST_AUTO_TEST_SUITE(users)

BOOST_AUTO_TEST_CASE(nobody_is_signed_in_at_first) {
  projected users;
  BOOST_TEST(!users.current("s1").has_value());
  users.append(registered());
  BOOST_TEST(!users.current("s1").has_value());
}

BOOST_AUTO_TEST_CASE(a_sign_in_makes_its_user_current_until_it_runs_out) {
  projected users;
  auto until = now() + 10min;
  users.append(registered(role::admin));
  users.append(signed_in("s1", until));
  auto user = users.current("s1");
  BOOST_TEST_REQUIRE(user.has_value());
  BOOST_TEST(user->email == alice);
  BOOST_TEST((user->role == role::admin));
  BOOST_TEST((user->expires_at == until));
  BOOST_TEST(!users.current("s2").has_value());
  BOOST_TEST(users.current("s1", until - 1us).has_value());
  BOOST_TEST(!users.current("s1", until).has_value());
}

BOOST_AUTO_TEST_CASE(an_extension_makes_it_last_longer) {
  projected users;
  auto until = now() + 10min;
  users.append(registered());
  users.append(signed_in("s1", until));
  users.append(user_session_extended_event{"s1", until + 5min});
  users.append(user_session_extended_event{"unknown", until});
  BOOST_TEST(users.current("s1", until + 4min).has_value());
  BOOST_TEST(!users.current("s1", until + 5min).has_value());
  BOOST_TEST(users.rows("sessions") == 1U);
}

BOOST_AUTO_TEST_CASE(a_sign_out_ends_that_sign_in_and_no_other) {
  projected users;
  users.append(registered());
  users.append(signed_in("s1", now() + 10min));
  users.append(signed_in("s2", now() + 10min));
  users.append(user_logged_out_event{alice, "s1"});
  BOOST_TEST(!users.current("s1").has_value());
  BOOST_TEST(users.current("s2").has_value());
}

BOOST_AUTO_TEST_CASE(sign_ins_that_are_over_are_removed_with_the_next_ones) {
  projected users;
  users.append(registered());
  for (int i = 0; i < 100; ++i)
    users.append(signed_in("old " + std::to_string(i), now() - 1min));
  users.append(signed_in("extended", now() - 1min));
  users.append(user_session_extended_event{"extended", now() + 10min});
  for (int i = 0; i < 10; ++i)
    users.append(signed_in("new " + std::to_string(i), now() + 10min));
  BOOST_TEST(users.rows("sessions") == 11U);
  BOOST_TEST(users.rows("reviews") == 11U);
  BOOST_TEST(users.current("extended").has_value());
}

BOOST_AUTO_TEST_CASE(everything_can_be_rebuilt) {
  projected users;
  users.append(registered());
  users.append(signed_in("s1", now() + 10min));
  BOOST_TEST(users.current("s1").has_value());
  users.rebuild();
  BOOST_TEST(users.current("s1").has_value());
  BOOST_TEST(users.rows("users") == 1U);
}

BOOST_AUTO_TEST_SUITE_END()
