#include <microlith/actors/internal/cluster/remote_subscription.hpp>

#include <algorithm>

namespace microlith::internal {

namespace {

/// Held keys, or positions, in one answer.
constexpr std::uint64_t max_listed = 1'000;

}  // namespace

result<std::unique_ptr<subscription_store>, storage_error> remote_subscription::open(
    const std::string& name, subscription_start start, remote_reader& from, store_owner owner) {
  auto made = std::unique_ptr<remote_subscription>{
      new remote_subscription{name, start, from, std::move(owner)}};
  auto answer = made->ask(made->about(wire::store_action::look));
  if (!answer)
    return answer.error();
  made->note_ = std::move(answer->note);
  return std::unique_ptr<subscription_store>{std::move(made)};
}

wire::store_call remote_subscription::about(wire::store_action what, std::string_view key) const {
  wire::store_call call;
  call.what = what;
  call.component = owner_.component;
  call.epoch = owner_.epoch;
  call.subscription = name_;
  call.start = static_cast<std::uint8_t>(start_);
  call.key.key = key;
  return call;
}

result<wire::store_answer, storage_error> remote_subscription::ask(wire::store_call call) const {
  wire::read question{.what = wire::question::store, .stream = {}, .id = {}};
  question.store = std::move(call);
  auto page = from_.ask_journal(std::move(question));
  if (!page)
    return page.error();
  if (!page->store)
    return storage_error{storage_error_kind::damaged,
                         "the node that has the journal did not answer about subscription " +
                             name_ + "; do both nodes run the same version?"};
  const auto& said = *page->store;
  checkpoint_.store(said.checkpoint);
  held_keys_.store(said.held_keys);
  parked_keys_.store(said.parked_keys);
  held_events_.store(said.held_events);
  parked_events_.store(said.parked_events);
  return std::move(*page->store);
}

result<void, storage_error> remote_subscription::change(wire::store_call call) {
  auto answer = ask(std::move(call));
  if (!answer)
    return answer.error();
  return {};
}

result<std::optional<held_key>, storage_error> remote_subscription::find(
    std::string_view key) const {
  auto answer = ask(about(wire::store_action::find, key));
  if (!answer)
    return answer.error();
  if (answer->keys.empty())
    return std::optional<held_key>{};
  return std::optional{std::move(answer->keys.front())};
}

result<std::vector<held_key>, storage_error> remote_subscription::held(
    const std::optional<std::string>& after, std::size_t limit) const {
  auto call = about(wire::store_action::held, after.value_or(""));
  call.flag = after.has_value();
  call.number = limit;
  auto answer = ask(std::move(call));
  if (!answer)
    return answer.error();
  return std::move(answer->keys);
}

result<std::vector<std::uint64_t>, storage_error> remote_subscription::positions_of(
    std::string_view key, std::uint64_t after, std::size_t limit) const {
  auto call = about(wire::store_action::positions_of, key);
  call.position = after;
  call.number = limit;
  auto answer = ask(std::move(call));
  if (!answer)
    return answer.error();
  return std::move(answer->positions);
}

result<void, storage_error> remote_subscription::save_checkpoint(std::uint64_t position,
                                                                 message_id event) {
  auto call = about(wire::store_action::save_checkpoint);
  call.position = position;
  call.event = event;
  return change(std::move(call));
}

result<void, storage_error> remote_subscription::hold(const held_key& how,
                                                      std::span<const std::uint64_t> positions) {
  auto call = about(wire::store_action::hold);
  call.key = how;
  call.positions.assign(positions.begin(), positions.end());
  return change(std::move(call));
}

result<void, storage_error> remote_subscription::hold_behind(std::span<const held_event> events) {
  auto call = about(wire::store_action::hold_behind);
  call.events.assign(events.begin(), events.end());
  return change(std::move(call));
}

result<void, storage_error> remote_subscription::failed_again(std::string_view key,
                                                              unsigned attempts, bool parked,
                                                              const std::string& why) {
  auto call = about(wire::store_action::failed_again, key);
  call.key.attempts = attempts;
  call.key.parked = parked;
  call.key.why = why;
  return change(std::move(call));
}

result<bool, storage_error> remote_subscription::finished(std::string_view key,
                                                          std::uint64_t position) {
  auto call = about(wire::store_action::finished, key);
  call.position = position;
  auto answer = ask(std::move(call));
  if (!answer)
    return answer.error();
  return answer->flag;
}

result<bool, storage_error> remote_subscription::replay(std::string_view key) {
  auto answer = ask(about(wire::store_action::replay, key));
  if (!answer)
    return answer.error();
  return answer->flag;
}

result<std::uint64_t, storage_error> remote_subscription::drop(
    std::string_view key, std::optional<std::uint64_t> position) {
  auto call = about(wire::store_action::drop, key);
  call.flag = position.has_value();
  call.position = position.value_or(0);
  auto answer = ask(std::move(call));
  if (!answer)
    return answer.error();
  return answer->number;
}

result<wire::store_answer, storage_error> answer_of(subscription_store& store,
                                                    const wire::store_call& call) {
  wire::store_answer said;
  std::optional<storage_error> wrong;
  auto use = [&](auto&& outcome, auto then) {
    if (outcome)
      then(*outcome);
    else
      wrong = outcome.error();
  };
  auto done = [&](const result<void, storage_error>& outcome) {
    if (!outcome)
      wrong = outcome.error();
  };
  const auto& key = call.key.key;
  auto limit = static_cast<std::size_t>(std::min(call.number, max_listed));
  switch (call.what) {
    case wire::store_action::look:
      said.note = store.note();
      break;
    case wire::store_action::find:
      use(store.find(key), [&](std::optional<held_key>& found) {
        if (found)
          said.keys.push_back(std::move(*found));
      });
      break;
    case wire::store_action::held:
      use(store.held(call.flag ? std::optional{key} : std::nullopt, limit),
          [&](std::vector<held_key>& all) { said.keys = std::move(all); });
      break;
    case wire::store_action::positions_of:
      use(store.positions_of(key, call.position, limit),
          [&](std::vector<std::uint64_t>& all) { said.positions = std::move(all); });
      break;
    case wire::store_action::save_checkpoint:
      done(store.save_checkpoint(call.position, call.event));
      break;
    case wire::store_action::hold:
      done(store.hold(call.key, call.positions));
      break;
    case wire::store_action::hold_behind:
      done(store.hold_behind(call.events));
      break;
    case wire::store_action::failed_again:
      done(store.failed_again(key, call.key.attempts, call.key.parked, call.key.why));
      break;
    case wire::store_action::finished:
      use(store.finished(key, call.position), [&](bool more) { said.flag = more; });
      break;
    case wire::store_action::replay:
      use(store.replay(key), [&](bool was_parked) { said.flag = was_parked; });
      break;
    case wire::store_action::drop:
      use(store.drop(key, call.flag ? std::optional{call.position} : std::nullopt),
          [&](std::uint64_t dropped) { said.number = dropped; });
      break;
  }
  if (wrong)
    return *wrong;
  said.checkpoint = store.checkpoint();
  said.held_keys = store.held_keys();
  said.parked_keys = store.parked_keys();
  said.held_events = store.held_events();
  said.parked_events = store.parked_events();
  return said;
}

}  // namespace microlith::internal
