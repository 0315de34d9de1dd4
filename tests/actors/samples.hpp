#pragma once

// The messages of these tests: plain ones for function handlers, and a bank account for deciders.

#include <microlith/actors/component.hpp>

#include <boost/describe.hpp>

#include <cstdint>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace samples {

// For function handlers.

struct work {
  using message = microlith::command<"test.work">;
  std::int64_t number = 0;
};
BOOST_DESCRIBE_STRUCT(work, (), (number))

struct other_work {
  using message = microlith::command<"test.other_work">;
  std::int64_t number = 0;
};
BOOST_DESCRIBE_STRUCT(other_work, (), (number))

struct work_done {
  using message = microlith::event<"test.work_done">;
  std::int64_t number = 0;
};
BOOST_DESCRIBE_STRUCT(work_done, (), (number))

struct other_work_done {
  using message = microlith::event<"test.other_work_done">;
  std::int64_t number = 0;
};
BOOST_DESCRIBE_STRUCT(other_work_done, (), (number))

struct work_refused {
  using message = microlith::rejection<"test.work_refused">;
  std::int64_t number = 0;
};
BOOST_DESCRIBE_STRUCT(work_refused, (), (number))

struct pong {
  using message = microlith::response<"test.pong">;
  std::int64_t number = 0;
};
BOOST_DESCRIBE_STRUCT(pong, (), (number))

struct ping {
  using message = microlith::query<"test.ping", pong>;
  std::int64_t number = 0;
};
BOOST_DESCRIBE_STRUCT(ping, (), (number))

// For deciders: an account is opened once and never overdrawn.

struct open_account {
  using message = microlith::command<"test.open_account">;
  std::string owner;
};
BOOST_DESCRIBE_STRUCT(open_account, (), (owner))

struct deposit {
  using message = microlith::command<"test.deposit">;
  std::string owner;
  std::int64_t amount = 0;
};
BOOST_DESCRIBE_STRUCT(deposit, (), (owner, amount))

struct account_opened {
  using message = microlith::event<"test.account_opened">;
  std::string owner;
};
BOOST_DESCRIBE_STRUCT(account_opened, (), (owner))

struct deposited {
  using message = microlith::event<"test.deposited">;
  std::string owner;
  std::int64_t balance = 0;
};
BOOST_DESCRIBE_STRUCT(deposited, (), (owner, balance))

struct account_refused {
  using message = microlith::rejection<"test.account_refused">;
  std::string owner;
  std::string reason;
};
BOOST_DESCRIBE_STRUCT(account_refused, (), (owner, reason))

struct account {
  static constexpr std::string_view stream = "test.account";
  bool is_open = false;
  std::int64_t balance = 0;
};
BOOST_DESCRIBE_STRUCT(account, (), (is_open, balance))

inline std::string stream_key(const open_account& c) {
  return c.owner;
}
inline std::string stream_key(const deposit& c) {
  return c.owner;
}

inline std::variant<account_opened, account_refused> decide(const account& state,
                                                            const open_account& command) {
  if (state.is_open)
    return account_refused{command.owner, "already open"};
  return account_opened{command.owner};
}

inline std::variant<deposited, account_refused> decide(const account& state,
                                                       const deposit& command) {
  if (!state.is_open)
    return account_refused{command.owner, "not open"};
  return deposited{command.owner, state.balance + command.amount};
}

inline account evolve(account state, const account_opened&) {
  state.is_open = true;
  return state;
}

inline account evolve(account state, const deposited& event) {
  state.balance = event.balance;
  return state;
}

/// The account decider, in a component of its own.
[[nodiscard]] inline microlith::component accounts(microlith::decider_options options = {}) {
  microlith::component hosted{"test.accounts"};
  hosted.handles<account, open_account, deposit>(options);
  return hosted;
}

/// Does every piece of work, and says so.
[[nodiscard]] inline microlith::component worker() {
  microlith::component hosted{"test.worker"};
  hosted
      .serves<work>(
          [](const work& c, microlith::context& ctx) { ctx.dispatch(work_done{c.number}); })
      .publishes<work_done>();
  return hosted;
}

}  // namespace samples
