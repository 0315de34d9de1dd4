#include <microlith/messages/print.hpp>
#include <microlith/persistence/internal/environment_check.hpp>
#include <microlith/persistence/internal/subscription_check.hpp>
#include <microlith/persistence/internal/subscription_layout.hpp>
#include <microlith/persistence/internal/subscription_pages.hpp>

#include <algorithm>
#include <map>
#include <string>

namespace microlith::internal {

namespace {

/// The tables of what is held, in the order of their names: events, then keys.
class held_walk {
 public:
  held_walk(const subscription_state& state, std::uint64_t journal_end)
      : state_{state}, journal_end_{journal_end} {}

  void entry(std::string_view table, std::span<const std::byte> key,
             std::span<const std::byte> value) {
    if (table == "events")
      event(key, value);
    else if (table == "keys")
      held(key, value);
  }

  void end() const {
    if (!open_.empty())
      throw page_error{"events are held under a key that is not there"};
  }

  std::uint64_t events = 0;
  std::uint64_t strangers = 0;  ///< events that the journal does not have
  std::uint64_t first_stranger = 0;

 private:
  void event(std::span<const std::byte> key, std::span<const std::byte> value) {
    auto position = decode_held_event(key, value);
    if (!position)
      throw page_error{"a held event is not what was written"};
    held_key_id id;
    std::copy_n(key.begin(), id.size(), id.begin());
    ++open_[id];
    ++events;
    if (*position != 0 && *position <= journal_end_)
      return;
    ++strangers;
    first_stranger = strangers == 1 ? *position : std::min(first_stranger, *position);
  }

  void held(std::span<const std::byte> key, std::span<const std::byte> value) {
    auto one = decode_held_key(value);
    if (!one || !std::ranges::equal(key, encode_held_key_id(one->key, state_.secret)))
      throw page_error{"a held key is not what was written"};
    held_key_id id;
    std::copy_n(key.begin(), id.size(), id.begin());
    auto counted = open_.find(id);
    auto there = counted == open_.end() ? 0 : counted->second;
    if (there != one->events || there == 0)
      throw page_error{"key " + print_text(one->key) + " says that it holds " +
                       std::to_string(one->events) + " events, and holds " + std::to_string(there)};
    open_.erase(counted);
  }

  const subscription_state& state_;
  std::uint64_t journal_end_;
  std::map<held_key_id, std::uint64_t> open_;
};

}  // namespace

void check_subscription(const std::filesystem::path& directory, message_id epoch,
                        journal_lookup& journal, const std::function<void(finding)>& found,
                        verify_report& report) {
  auto part = "subscription " + directory.filename().string();
  page_file file{directory / "data.mdb"};
  std::optional<subscription_state> state;
  std::uint64_t end = 0;
  std::optional<held_walk> held;
  auto result = check_steadily(file, [&](const page_snapshot& seen, environment_check& check) {
    state = subscription_state_in(file, seen);
    // After the look at what is held, so the journal is not behind it.
    end = journal.last_position();
    held.reset();
    if (state)
      held.emplace(*state, end);
    check.walk([&](std::string_view table, std::span<const std::byte> key,
                   std::span<const std::byte> value) {
      if (held)
        held->entry(table, key, value);
      else
        throw page_error{"it holds something and has no state"};
    });
    check.account();
    if (held)
      held->end();
  });
  auto say = [&](bool is_damage, std::string text, std::uint64_t position = 0) {
    found({is_damage, part, std::move(text), position});
  };
  if (!result.problem.empty()) {
    say(true, "what is in " + directory.string() + " is damaged: " + result.problem +
                  ". Stop the node and restore a backup, or delete the folder: every event is then "
                  "delivered again");
    return;
  }
  ++report.subscriptions;
  if (result.overtaken) {
    say(false, "the node writes it too quickly to be looked at: verify again");
    return;
  }
  if (!state) {
    say(false, "it is new and has no state");
    return;
  }
  report.held_events += held->events;
  if (state->epoch != epoch) {
    say(false, "it follows another journal, and begins again at the next start");
    return;
  }
  if (state->checkpoint > end)
    say(true, "it is ahead of the journal: it has come to event " +
                  std::to_string(state->checkpoint) + ", and the journal ends at event " +
                  std::to_string(end) + ". Restore a backup of both, or it goes on at the end");
  else if (auto id = journal.id_at(state->checkpoint); id && *id != state->event)
    say(true,
        "it has come to event " + std::to_string(state->checkpoint) + " with the id " +
            to_string(state->event) + ", and the journal's event there is " + to_string(*id) +
            ". Restore a backup of both, or it begins again at the next start",
        state->checkpoint);
  if (held->strangers != 0)
    say(true, "it holds back " + std::to_string(held->strangers) +
                  " events that the journal does not have, the first at position " +
                  std::to_string(held->first_stranger) +
                  ". Restore a backup of both, or drop them (microlith subscription drop)");
}

}  // namespace microlith::internal
