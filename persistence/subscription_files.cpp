#include <microlith/persistence/internal/data_folder.hpp>
#include <microlith/persistence/internal/environment_check.hpp>
#include <microlith/persistence/internal/held_events.hpp>
#include <microlith/persistence/internal/journal_pages.hpp>
#include <microlith/persistence/internal/opening_check.hpp>
#include <microlith/persistence/internal/stored_format.hpp>
#include <microlith/persistence/internal/subscription_pages.hpp>
#include <microlith/persistence/subscription_files.hpp>

#include <algorithm>
#include <limits>

namespace microlith {

namespace {

using namespace internal;
using path = std::filesystem::path;

constexpr std::string_view group = "subscription";
constexpr unsigned max_walks = 1000;

std::uint64_t first_position_of(page_cursor& events, std::span<const std::byte> id) {
  if (!events.seek(id) || events.key().size() != std::tuple_size_v<held_event_id> ||
      !std::ranges::equal(events.key().first(id.size()), id))
    return 0;
  return decode_held_event(events.key(), events.value()).value_or(0);
}

void look_at_keys(const page_file& file, const page_snapshot& seen, std::size_t max_keys,
                  stored_subscription& found) {
  found.keys.clear();
  auto keys = find_tree(file, seen, "keys");
  auto events = find_tree(file, seen, "events");
  found.held_keys = keys ? keys->entries : 0;
  found.held_events = events ? events->entries : 0;
  if (!keys || !events)
    return;
  page_cursor cursor{file, seen, *keys};
  page_cursor positions{file, seen, *events};
  for (bool more = cursor.first(); more && found.keys.size() < max_keys; more = cursor.next()) {
    auto held = decode_held_key(cursor.value());
    if (!held)
      throw page_error{"a held key is not what was written"};
    auto first = first_position_of(positions, cursor.key());
    found.keys.push_back({std::move(*held), first});
  }
}

stored_subscription look_at(const path& folder, std::size_t max_keys,
                            const journal_pages& journal) {
  stored_subscription found;
  found.name = folder.filename().string();
  page_file file{folder / "data.mdb"};
  found.file_bytes = file.bytes();
  std::optional<subscription_state> state;
  auto result = check_steadily(
      file,
      [&](const page_snapshot& seen, environment_check&) {
        state = subscription_state_in(file, seen);
        look_at_keys(file, seen, max_keys, found);
      },
      max_walks);
  if (!result.problem.empty())
    found.problem = "it is damaged: " + result.problem;
  else if (result.overtaken)
    found.problem = "a node writes it too quickly to be looked at";
  auto last = journal.state().last_position;
  found.checkpoint = state ? state->checkpoint : 0;
  found.behind = last > found.checkpoint ? last - found.checkpoint : 0;
  found.fits_journal = state && state->epoch == journal.meta().epoch;
  return found;
}

stored_subscription unreadable_one(const std::string& name, const std::string& why) {
  stored_subscription one;
  one.name = name;
  one.problem = why;
  return one;
}

/// Runs `change(held, transaction)` on what a subscription holds.
template <class Change>
result<held_counts, storage_error> changing(const path& data, std::string_view name,
                                            Change change) {
  held_counts done;
  auto changed = change_folder(data, group, name, [&](const path& folder) {
    if (!std::filesystem::exists(folder / "data.mdb") || !can_be_mapped(folder))
      throw storage_exception{damaged_subscription(folder, "data.mdb was cut or is missing")};
    auto map = sensible_map_size({});
    environment env{
        folder,
        {.map_bytes = map.reserve_bytes, .map_limit_bytes = map.limit_bytes, .max_tables = 3}};
    done = growing(env, [&] {
      lmdb_transaction t{env, lmdb_transaction::access::write};
      held_events held{folder};
      held.open(t);
      auto stored = t.find(t.open_table("state", MDB_CREATE), std::string_view{"state"});
      if (stored)
        expect_format(*stored, subscription_format, "the subscription in " + folder.string());
      auto state = stored ? decode_subscription_state(*stored) : std::nullopt;
      if (stored && !state)
        throw storage_exception{damaged_subscription(folder, "its state is not what was written")};
      held.use_secret(state ? state->secret : name_secret{});
      auto counts = change(held, t);
      t.commit();
      return counts;
    });
  });
  if (!changed)
    return changed.error();
  return done;
}

/// The one that is named, or all that are parked.
std::vector<std::string> parked_keys(const held_events& held, const lmdb_transaction& t,
                                     const std::optional<std::string>& key) {
  std::vector<std::string> names;
  if (key) {
    auto one = held.find(t, *key);
    if (one && one->parked)
      names.push_back(*key);
    return names;
  }
  for (auto& each : held.keys(t, {}, std::numeric_limits<std::size_t>::max())) {
    if (each.parked)
      names.push_back(std::move(each.key));
  }
  return names;
}

held_counts& operator+=(held_counts& to, const held_counts& more) {
  to.keys += more.keys;
  to.parked += more.parked;
  to.events += more.events;
  to.parked_events += more.parked_events;
  return to;
}

storage_error nothing_parked(std::string_view subscription, const std::optional<std::string>& key,
                             const char* what) {
  return {storage_error_kind::unusable, "subscription " + std::string{subscription} +
                                            " has parked " + what +
                                            (key ? " under that key" : std::string{}) +
                                            "; `microlith subscription ls` lists what it holds"};
}

}  // namespace

result<std::vector<stored_subscription>, storage_error> stored_subscriptions(const path& data,
                                                                             std::size_t max_keys) {
  try {
    std::vector<stored_subscription> all;
    for (const auto& folder : environments_in(data / "subscriptions")) {
      auto name = folder.filename().string();
      // Anew for each: the journal is not far behind what is looked at.
      journal_pages journal{data / "journal"};
      try {
        all.push_back(look_at(folder, max_keys, journal));
      } catch (const page_file_error& unreadable) {
        all.push_back(unreadable_one(name, unreadable.what()));
      } catch (const other_format& unreadable) {
        all.push_back(unreadable_one(name, unreadable.error().text));
      }
    }
    if (all.empty())
      (void)journal_pages{data / "journal"};
    return all;
  } catch (const storage_exception& error) {
    return error.error();
  } catch (const std::filesystem::filesystem_error& error) {
    return unreadable_folder(error);
  } catch (const std::exception& error) {
    return storage_error{storage_error_kind::unusable, "cannot look at the subscriptions in " +
                                                           data.string() + ": " + error.what()};
  }
}

result<std::uint64_t, storage_error> replay_parked(const path& data, std::string_view subscription,
                                                   const std::optional<std::string>& key) {
  auto done = changing(data, subscription, [&](const held_events& held, lmdb_transaction& t) {
    held_counts all;
    for (const auto& name : parked_keys(held, t, key))
      all += held.replay(t, name);
    return all;
  });
  if (!done)
    return done.error();
  if (done->parked == 0)
    return nothing_parked(subscription, key, "nothing");
  return static_cast<std::uint64_t>(-done->parked);
}

result<std::uint64_t, storage_error> drop_parked(const path& data, std::string_view subscription,
                                                 const std::optional<std::string>& key,
                                                 std::optional<std::uint64_t> position) {
  auto done = changing(data, subscription, [&](const held_events& held, lmdb_transaction& t) {
    held_counts all;
    for (const auto& name : parked_keys(held, t, key))
      all += held.drop(t, name, position);
    return all;
  });
  if (!done)
    return done.error();
  if (done->events == 0)
    return nothing_parked(subscription, key, position ? "no event there" : "nothing");
  return static_cast<std::uint64_t>(-done->events);
}

}  // namespace microlith
