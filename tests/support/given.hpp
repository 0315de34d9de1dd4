#pragma once

// Given, when, then: tests of a decider as what they are, pure functions.
//
//     given<user>(registered)
//         .when(register_command{.email = "alice@example.org", .password = "correct horse"})
//         .then(register_error_raised{"alice@example.org", {register_error::user_already_exists}});
//
// `given` folds events into a state, `when` decides (after `prepare`, where there is one), `then`
// compares with all that was decided, in order.

#include <microlith/actors/decider.hpp>
#include <microlith/messages/equality.hpp>
#include <microlith/messages/print.hpp>

#include <boost/test/unit_test.hpp>

#include <any>
#include <optional>
#include <string>
#include <tuple>
#include <type_traits>
#include <variant>
#include <vector>

namespace microlith::test {

/// What a command led to: messages of any type, in order.
class outcome {
 public:
  template <class T>
  void add(const T& decided) {
    if constexpr (!std::is_same_v<T, std::monostate>) {
      messages_.push_back(decided);
      if (!text_.empty())
        text_ += ", ";
      text_ += wire_name<T>;
      text_ += print(decided);
    }
  }
  template <class... Ts>
  void add(const std::variant<Ts...>& decided) {
    std::visit([this](const auto& one) { add(one); }, decided);
  }
  template <class T>
  void add(const std::vector<T>& decided) {
    for (const auto& one : decided)
      add(one);
  }
  template <class T>
  void add(const std::optional<T>& decided) {
    if (decided)
      add(*decided);
  }

  /// Exactly these messages were decided, in this order.
  template <class... Ts>
  void then(const Ts&... expected) const {
    BOOST_TEST_REQUIRE(messages_.size() == sizeof...(Ts), "decided: " << shown());
    std::size_t i = 0;
    (check(messages_[i++], expected), ...);
  }

  void then_nothing() const { BOOST_TEST(messages_.empty(), "decided: " << shown()); }

  /// One message of this type was decided; returns it.
  template <class T>
  [[nodiscard]] T one() const {
    BOOST_TEST_REQUIRE(messages_.size() == 1U, "decided: " << shown());
    const auto* decided = std::any_cast<T>(&messages_.front());
    BOOST_TEST_REQUIRE((decided != nullptr), "decided: " << shown());
    return *decided;
  }

 private:
  template <class T>
  void check(const std::any& decided, const T& expected) const {
    const auto* same_type = std::any_cast<T>(&decided);
    BOOST_TEST((same_type != nullptr && equal(*same_type, expected)),
               "decided: " << shown() << "; expected: " << wire_name<T> << ' ' << print(expected));
  }

  [[nodiscard]] std::string shown() const { return text_.empty() ? "nothing" : text_; }

  std::vector<std::any> messages_;
  std::string text_;
};

template <class State>
class scenario {
 public:
  explicit scenario(State state) : state_{std::move(state)} {}

  /// Who asks; nobody unless this is said.
  scenario& by(principal who) {
    who_ = std::move(who);
    return *this;
  }

  /// When; the epoch unless this is said.
  scenario& at(wall_time now) {
    now_ = now;
    return *this;
  }

  template <command_message C>
  [[nodiscard]] outcome when(const C& command) const {
    if constexpr (requires { prepare(state_, command); })
      return when(command, prepare(state_, command));
    else
      return decided(command);
  }

  /// With what `prepare` would have made.
  template <command_message C, class Prepared>
  [[nodiscard]] outcome when(const C& command, const Prepared& prepared) const {
    return decided(command, prepared);
  }

  [[nodiscard]] const State& state() const { return state_; }

 private:
  template <command_message C, class... Prepared>
  [[nodiscard]] outcome decided(const C& command, const Prepared&... prepared) const {
    outcome result;
    if constexpr (requires(const decision_info& info) {
                    decide(state_, command, prepared..., info);
                  }) {
      const decision_info info{
          .who = who_, .now = now_, .command = message_id::make(), .correlation = {}};
      result.add(decide(state_, command, prepared..., info));
    } else {
      result.add(decide(state_, command, prepared...));
    }
    return result;
  }

  State state_;
  principal who_;
  wall_time now_{};
};

template <class State, event_message... Events>
[[nodiscard]] scenario<State> given(const Events&... events) {
  State state{};
  ((state = evolve(std::move(state), events)), ...);
  return scenario<State>{std::move(state)};
}

}  // namespace microlith::test
