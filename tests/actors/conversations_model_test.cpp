// The table of waits and slots by itself: random sequences against a model, and threads.

#include "table_of_waits.hpp"

#include <rapidcheck.h>

#include <set>

using namespace microlith;
using namespace microlith::internal;
using namespace samples;
using namespace std::chrono_literals;

BOOST_AUTO_TEST_SUITE(conversations_model)

BOOST_AUTO_TEST_CASE(an_event_that_is_kept_by_the_journal_is_found_as_one_in_a_slot_is) {
  bool holds = rc::check("it makes no difference to a wait who keeps the event", [] {
    auto conversation = correlation_id::make();
    opened_dispatch dispatch{.id = message_id::make(), .is_event = true};
    // At 0 it is not journaled.
    auto event = outside_event(conversation, dispatch.id, *rc::gen::element(0U, 7U, 7U, 7U));
    int reads = 0;
    table_of_waits quiet{{}, [&](std::uint64_t position, auto types) {
                           RC_ASSERT(position == event.position);
                           ++reads;
                           bool wanted =
                               std::find(types.begin(), types.end(), &event.type()) != types.end();
                           return wanted ? std::optional{event} : std::nullopt;
                         }};
    table_of_waits with_slot;
    auto each = [&](auto f) {
      f(quiet, 0U);
      f(with_slot, 1U);
    };
    each([&](table_of_waits& table, std::size_t) { table.talks.open(conversation, dispatch); });
    std::vector<std::unique_ptr<two_outcomes>> all;
    auto now = start;
    bool ends_first = *rc::gen::arbitrary<bool>();
    auto steps = *rc::gen::inRange(0, 20);
    for (int step = 0; step < steps; ++step) {
      auto what = step == 0 && ends_first ? 0 : *rc::gen::element(0, 1, 2, 3, 4, 5, 6, 7);
      auto caused = event_in(conversation, dispatch.id);
      envelope other{caused.head(), other_work_done{1}};
      bool bound = *rc::gen::arbitrary<bool>();
      bool takes_accepted = *rc::gen::arbitrary<bool>();
      bool wants_other = *rc::gen::arbitrary<bool>();
      if (what >= 4)
        all.push_back(std::make_unique<two_outcomes>());
      now += what == 3 ? 6s : 0s;
      each([&](table_of_waits& table, std::size_t which) {
        const auto* one = what <= 1 ? &event : &other;
        if (what <= 2) {
          table.talks.conclude(conversation, {&one, 1}, dispatch.id,
                               what <= 1 ? std::optional{accepted{event.position}} : std::nullopt,
                               now);
        } else if (what == 3) {
          static_cast<void>(table.talks.expire(now));
        } else if (what == 7) {
          static_cast<void>(
              table.talks.fail(conversation, dispatch.id, failed_handling(dispatch.id), now));
        } else {
          auto wait = wait_for(conversation, all.back()->out[which], now + 5s);
          if (wants_other)
            wait->types = {&type_of<other_work_done>()};
          wait->takes_accepted = takes_accepted;
          wait->bound = bound ? dispatch.id : message_id{};
          wait->bound_to_root = bound;
          table.talks.wait(std::move(wait), now);
        }
      });
      for (const auto& each_wait : all)
        RC_ASSERT(each_wait->same());
      RC_ASSERT(quiet.talks.pending_waits() == with_slot.talks.pending_waits());
      RC_ASSERT(quiet.talks.slots() == with_slot.talks.slots());
    }
    each([&](table_of_waits& table, std::size_t) {
      static_cast<void>(table.talks.expire(now + 5s));
      static_cast<void>(table.talks.expire(now + 1h));
    });
    for (const auto& each_wait : all)
      RC_ASSERT(each_wait->same());
    RC_ASSERT(quiet.talks.slots() == with_slot.talks.slots());
    RC_TAG(reads > 0);
  });
  BOOST_TEST(holds);
}

BOOST_AUTO_TEST_CASE(random_sequences_end_every_wait_once_as_the_model_says) {
  // The model knows for each conversation what has passed, and for each wait whether it has ended.
  // It leaves out what makes room, which the bounds below are large enough for.
  struct modelled_wait {
    std::size_t conversation = 0;
    message_id bound;
    bool takes_accepted = false;
    steady_time deadline;
    outcome out;
  };
  struct modelled_dispatch {
    message_id id;
    bool running = true;
    bool ended_well = false;
    bool failed = false;
  };
  struct modelled_conversation {
    correlation_id id = correlation_id::make();
    std::vector<modelled_dispatch> dispatches;
    std::vector<message_id> passed;  // roots of the messages that have passed
  };
  bool holds = rc::check("every wait ends once, with what the model says", [] {
    table_of_waits table{{.keep = 1h}};
    std::vector<modelled_conversation> conversations(3);
    std::vector<std::unique_ptr<modelled_wait>> waits;
    auto now = start;
    auto steps = *rc::gen::inRange(1, 60);
    for (int step = 0; step < steps; ++step) {
      auto& in = conversations[*rc::gen::inRange<std::size_t>(0, conversations.size())];
      auto index = static_cast<std::size_t>(&in - conversations.data());
      auto pick_dispatch = [&]() -> modelled_dispatch* {
        std::vector<modelled_dispatch*> running;
        for (auto& each : in.dispatches) {
          if (each.running)
            running.push_back(&each);
        }
        return running.empty() ? nullptr
                               : running[*rc::gen::inRange<std::size_t>(0, running.size())];
      };
      switch (*rc::gen::inRange(0, 6)) {
        case 0: {
          std::erase_if(in.dispatches, [](const auto& d) { return d.failed && !d.running; });
          in.dispatches.push_back({.id = message_id::make()});
          table.talks.open(in.id, {in.dispatches.back().id});
          break;
        }
        case 1: {
          auto& added = waits.emplace_back(std::make_unique<modelled_wait>());
          added->conversation = index;
          added->takes_accepted = *rc::gen::arbitrary<bool>();
          added->deadline = now + 1s * *rc::gen::inRange(1, 10);
          auto* about = *rc::gen::arbitrary<bool>() ? pick_dispatch() : nullptr;
          if (about)
            added->bound = about->id;
          auto wait = wait_for(in.id, added->out, added->deadline);
          wait->takes_accepted = added->takes_accepted;
          wait->bound = added->bound;
          wait->bound_to_root = about != nullptr;
          auto concerns = [&](message_id id) { return added->bound.empty() || added->bound == id; };
          bool ends = std::any_of(in.passed.begin(), in.passed.end(), concerns);
          for (const auto& each : in.dispatches)
            ends = ends || (concerns(each.id) &&
                            (each.failed || (each.ended_well && added->takes_accepted)));
          table.talks.wait(std::move(wait), now);
          RC_ASSERT(added->out.ended == (ends ? 1 : 0));
          break;
        }
        case 2: {
          auto* from = pick_dispatch();
          if (!from)
            break;
          in.passed.push_back(from->id);
          table.talks.pass(event_in(in.id, from->id), now);
          for (auto& each : waits) {
            if (each->conversation == index && (each->bound.empty() || each->bound == from->id))
              RC_ASSERT(each->out.ended == 1);
          }
          break;
        }
        case 3: {
          auto* from = pick_dispatch();
          if (!from)
            break;
          from->running = false;
          from->failed = true;
          static_cast<void>(table.talks.fail(in.id, from->id, failed_handling(from->id), now));
          for (auto& each : waits) {
            if (each->conversation == index && (each->bound.empty() || each->bound == from->id))
              RC_ASSERT(each->out.ended == 1);
          }
          break;
        }
        case 4: {
          auto* from = pick_dispatch();
          if (!from)
            break;
          from->running = false;
          from->ended_well = true;
          table.talks.conclude(in.id, {}, from->id, accepted{7}, now);
          for (auto& each : waits) {
            if (each->conversation == index && each->takes_accepted &&
                (each->bound.empty() || each->bound == from->id))
              RC_ASSERT(each->out.ended == 1);
          }
          break;
        }
        default: {
          now += 1s;
          static_cast<void>(table.talks.expire(now));
          for (auto& each : waits)
            RC_ASSERT(each->deadline > now || each->out.ended == 1);
        }
      }
      std::size_t pending = 0;
      for (const auto& each : waits) {
        RC_ASSERT(each->out.ended <= 1);
        pending += each->out.ended == 0 ? 1 : 0;
      }
      RC_ASSERT(table.talks.pending_waits() == pending);
      RC_ASSERT(table.talks.slots() <= conversations.size());
    }
    for (auto& in : conversations) {
      for (auto& each : in.dispatches) {
        if (each.running)
          table.talks.conclude(in.id, {}, each.id, accepted{1}, now);
      }
    }
    static_cast<void>(table.talks.expire(now + 100s));
    for (const auto& each : waits)
      RC_ASSERT(each->out.ended == 1);
    static_cast<void>(table.talks.expire(now + 100s + 1h));
    RC_ASSERT(table.talks.slots() == 0U);
  });
  BOOST_TEST(holds);
}

BOOST_AUTO_TEST_CASE(a_wait_that_is_filed_alone_ends_as_one_with_a_slot_does) {
  bool holds = rc::check("what happens to a conversation does not depend on how it is kept", [] {
    both_tables tables;
    auto conversation = correlation_id::make();
    opened_dispatch command{.id = message_id::make(), .once = *rc::gen::arbitrary<bool>()};
    std::vector<std::unique_ptr<two_outcomes>> all;
    auto file = [&](opened_dispatch dispatch, bool takes_accepted, bool is_private) {
      auto& added = *all.emplace_back(std::make_unique<two_outcomes>());
      std::array<opening, 2> how{};
      tables.each([&](table_of_waits& table, std::size_t which) {
        auto wait = wait_for(conversation, added.out[which], start + 5s);
        wait->takes_accepted = takes_accepted;
        wait->private_conversation = is_private;
        if (is_private) {
          wait->bound = command.id;
          wait->bound_to_root = true;
        }
        if (is_private && which == 1) {
          how[which] = table.talks.open(conversation, dispatch);
          table.talks.wait(std::move(wait), start);
        } else {
          how[which] = table.talks.wait(std::move(wait), start, dispatch);
        }
      });
      RC_ASSERT((how[0] == how[1]));
    };
    file(command, *rc::gen::arbitrary<bool>(), true);
    auto now = start;
    auto steps = *rc::gen::inRange(0, 8);
    for (int step = 0; step < steps; ++step) {
      auto what = *rc::gen::inRange(0, 8);
      auto awaited = event_in(conversation, command.id);
      envelope other{awaited.head(), other_work_done{1}};
      std::array<const envelope*, 2> passed{&other, &awaited};
      auto count = *rc::gen::inRange<std::size_t>(0, 3);
      now += what == 7 ? 3s : 0s;
      if (what == 5)
        file({}, *rc::gen::arbitrary<bool>(), false);
      else if (what == 6)
        file({.id = message_id::make(), .once = true}, true, false);
      else
        tables.each([&](table_of_waits& table, std::size_t) {
          std::span<const envelope* const> messages{passed.data(), count};
          if (what <= 1)
            table.talks.conclude(conversation, messages, command.id, std::nullopt, now);
          else if (what == 2)
            table.talks.conclude(conversation, messages, command.id, accepted{7}, now);
          else if (what == 3)
            static_cast<void>(
                table.talks.fail(conversation, command.id, failed_handling(command.id), now));
          else if (what == 4)
            table.talks.open(conversation, command);
          else
            static_cast<void>(table.talks.expire(now));
        });
      for (const auto& each : all)
        RC_ASSERT(each->same());
      RC_ASSERT(tables.alone.talks.pending_waits() == tables.with_slot.talks.pending_waits());
      RC_ASSERT(tables.alone.late == tables.with_slot.late);
    }
    tables.each([](table_of_waits& table, std::size_t) { table.talks.stop(); });
    for (const auto& each : all) {
      RC_ASSERT(each->same());
      RC_ASSERT(each->out[0].ended == 1);
    }
    RC_ASSERT(tables.alone.talks.pending_waits() == 0U);
  });
  BOOST_TEST(holds);
}

BOOST_AUTO_TEST_CASE(random_loads_keep_every_count_within_its_bound) {
  bool holds = rc::check("waits, slots and messages are bounded", [] {
    conversation_limits limits{
        .max_waits = 8, .max_answered_slots = 32, .max_kept_messages = 4, .keep = 10s};
    table_of_waits table{limits, [](std::uint64_t, auto) { return std::optional<envelope>{}; }};
    std::vector<std::unique_ptr<outcome>> outs;
    std::vector<std::pair<correlation_id, message_id>> running;
    std::vector<correlation_id> all;
    auto steps = *rc::gen::inRange(1, 300);
    for (int step = 0; step < steps; ++step) {
      switch (*rc::gen::inRange(0, 4)) {
        case 0:
          running.emplace_back(correlation_id::make(), message_id::make());
          all.push_back(running.back().first);
          table.talks.open(running.back().first,
                           {.id = running.back().second, .is_event = *rc::gen::arbitrary<bool>()});
          break;
        case 1:
          if (!all.empty()) {
            auto of = all[*rc::gen::inRange<std::size_t>(0, all.size())];
            table.talks.wait(wait_for(of, *outs.emplace_back(std::make_unique<outcome>())), start);
          }
          break;
        case 2:
          if (!running.empty())
            table.talks.pass(event_in(running.back().first, message_id::make()), start);
          break;
        default:
          if (!running.empty()) {
            auto [conversation, id] = running.back();
            auto durable = outside_event(conversation, id, 1);
            const auto* one = &durable;
            table.talks.conclude(conversation, {&one, 1}, id, accepted{1}, start);
            running.pop_back();
          }
      }
      RC_ASSERT(table.talks.pending_waits() <= limits.max_waits);
      RC_ASSERT(table.talks.slots() <=
                running.size() + table.talks.pending_waits() + limits.max_answered_slots);
    }
    static_cast<void>(table.talks.expire(start + 5s));
    for (const auto& out : outs)
      RC_ASSERT(out->ended == 1);
  });
  BOOST_TEST(holds);
}

BOOST_AUTO_TEST_CASE(threads_that_wait_and_answer_at_once_never_miss) {
  table_of_waits table;
  constexpr std::size_t rounds = 5'000;
  std::vector<correlation_id> conversations;
  std::vector<message_id> roots;
  for (std::size_t i = 0; i < rounds; ++i) {
    conversations.push_back(correlation_id::make());
    roots.push_back(message_id::make());
    table.talks.open(conversations.back(), {roots.back()});
  }
  std::vector<outcome> outs(rounds);
  {
    std::jthread answers{[&] {
      for (std::size_t i = 0; i < rounds; ++i)
        table.talks.pass(event_in(conversations[i], roots[i]), start);
    }};
    std::jthread waits{[&] {
      for (std::size_t i = 0; i < rounds; ++i)
        table.talks.wait(wait_for(conversations[i], outs[i]), start);
    }};
  }
  auto missed = std::count_if(outs.begin(), outs.end(), [](const outcome& out) {
    return out.ended != 1 || !out.has_message();
  });
  BOOST_TEST(missed == 0);
}

BOOST_AUTO_TEST_SUITE_END()
