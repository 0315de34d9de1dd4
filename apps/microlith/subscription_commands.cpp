// `microlith subscription …`: durable subscriptions, and what they hold back.

#include "microlith/command.hpp"
#include "microlith/data_command.hpp"

#include <microlith/messages/print.hpp>
#include <microlith/messages/time_text.hpp>
#include <microlith/persistence/subscription_files.hpp>

#include <CLI/CLI.hpp>
#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>

#include <algorithm>
#include <iostream>
#include <limits>
#include <memory>
#include <optional>

namespace tool {

using microlith::print_text;
using microlith::stored_held_key;
using microlith::stored_subscription;
using microlith::time_text;

namespace {

struct subscription_options {
  std::filesystem::path data;
  std::string name;
  std::optional<std::string> key;
  std::optional<std::uint64_t> position;
  bool all = false;
  std::uint64_t limit = 100;  ///< 0: none
  bool json = false;
};

boost::json::object json_of(const stored_held_key& one) {
  return {{"key", print_text(one.held.key)}, {"parked", one.held.parked},
          {"events", one.held.events},       {"first_position", one.first_position},
          {"attempts", one.held.attempts},   {"since", time_text(one.held.since)},
          {"why", print_text(one.held.why)}};
}

boost::json::object json_of(const stored_subscription& one) {
  boost::json::object out{{"name", print_text(one.name)},
                          {"checkpoint", one.checkpoint},
                          {"behind", one.behind},
                          {"held_keys", one.held_keys},
                          {"held_events", one.held_events},
                          {"file_bytes", one.file_bytes},
                          {"fits_journal", one.fits_journal},
                          {"problem", one.problem}};
  auto& keys = out["keys"].emplace_array();
  for (const auto& key : one.keys)
    keys.push_back(json_of(key));
  return out;
}

std::string state_of(const stored_subscription& one) {
  if (!one.problem.empty())
    return print_text(one.problem);
  if (!one.fits_journal)
    return "of another journal; begins again at the next start";
  return one.behind == 0 ? "up to date" : std::to_string(one.behind) + " events behind";
}

void print(const stored_subscription& one) {
  std::cout << print_text(one.name) << "  up to " << one.checkpoint << "  " << state_of(one) << "  "
            << one.held_events << " events held under " << one.held_keys << " keys\n";
  for (const auto& key : one.keys)
    std::cout << "  " << print_text(key.held.key)
              << (key.held.parked ? "  parked since " : "  tried again since ")
              << time_text(key.held.since) << "  " << key.held.events << " events from "
              << key.first_position << " on  " << key.held.attempts
              << " attempts: " << print_text(key.held.why) << '\n';
}

int list_subscriptions(const subscription_options& options) {
  auto limit = options.limit == 0 ? std::numeric_limits<std::size_t>::max()
                                  : static_cast<std::size_t>(options.limit);
  auto all = microlith::stored_subscriptions(options.data, limit);
  if (!all)
    return complain(all.error());
  int code = exit_fine;
  bool cut = false;
  boost::json::array json;
  for (const auto& one : *all) {
    code = std::max(code, code_of(one.problem));
    cut = cut || one.keys.size() < one.held_keys;
    if (options.json)
      json.push_back(json_of(one));
    else
      print(one);
  }
  if (options.json)
    std::cout << boost::json::serialize(json) << '\n';
  code = std::max(code, finish_output());
  if (cut)
    std::cerr << "microlith: more keys are held; --limit shows more of them\n";
  return code;
}

/// Why the command line names no events; empty where it does.
std::string unclear(const subscription_options& options) {
  if (options.all && options.position)
    return "a position is of one key: name it, and leave out --all";
  if (options.all == options.key.has_value())
    return "name a key, or all of them with --all";
  return {};
}

int replay_subscription(const subscription_options& options) {
  if (auto why = unclear(options); !why.empty())
    return complain(why);
  auto done = microlith::replay_parked(options.data, options.name, options.key);
  if (!done)
    return complain(done.error());
  std::cout << *done << " keys of " << print_text(options.name)
            << " are delivered again at the next start, in order\n";
  return finish_output();
}

int drop_subscription(const subscription_options& options) {
  if (auto why = unclear(options); !why.empty())
    return complain(why);
  auto done = microlith::drop_parked(options.data, options.name, options.key, options.position);
  if (!done)
    return complain(done.error());
  std::cout << *done << " events of " << print_text(options.name)
            << " are forgotten: they are not delivered any more\n";
  return finish_output();
}

}  // namespace

void add_subscription_commands(CLI::App& group, chosen_command& chosen) {
  group.footer(R"(
Examples:
  microlith subscription ls --data /srv/shop
  microlith subscription replay shop.mails ann@example.org --data /srv/shop)");
  auto options = std::make_shared<subscription_options>();
  auto* ls = add_data_command(
      group, chosen, "ls", "List durable subscriptions, how far they are, and what they hold back",
      options, list_subscriptions);
  ls->add_option("--limit", options->limit, "Keys of each subscription; 0: all of them")
      ->option_text("N [100]")
      ->check(check_count);
  ls->add_flag("--json", options->json, "Print JSON");
  ls->footer(R"(
Examples:
  microlith subscription ls --data /srv/shop
  microlith subscription ls --data /srv/shop --json | jq '.[].keys[] | select(.parked)'

Safe beside a running node. What a held event says: microlith journal show POSITION.)");
  auto* replay = add_data_command(group, chosen, "replay",
                                  "Have parked events delivered again, in order, at the next start",
                                  options, replay_subscription);
  replay->footer(std::string{R"(
Examples:
  microlith subscription replay shop.mails ann@example.org --data /srv/shop
  microlith subscription replay shop.mails --all --data /srv/shop
)"} + while_stopped);
  auto* drop = add_data_command(group, chosen, "drop", "Forget parked events for good", options,
                                drop_subscription);
  drop->add_option("--position", options->position, "Only the event there")
      ->type_name("N")
      ->check(check_count);
  drop->footer(std::string{R"(
Examples:
  microlith subscription drop shop.mails ann@example.org --data /srv/shop
  microlith subscription drop shop.mails ann@example.org --position 17 --data /srv/shop
  microlith subscription drop shop.mails --all --data /srv/shop
)"} + while_stopped);
  for (auto* command : {replay, drop}) {
    command->add_option("name", options->name, "As `subscription ls` shows it")
        ->required()
        ->type_name("NAME");
    command->add_option("key", options->key, "A parked key, as `subscription ls` shows it")
        ->type_name("KEY");
    command->add_flag("--all", options->all, "All parked keys");
  }
}

}  // namespace tool
