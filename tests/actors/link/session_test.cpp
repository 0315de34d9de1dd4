#include <microlith/actors/internal/link/outbox.hpp>
#include <microlith/actors/internal/link/record.hpp>
#include <microlith/actors/internal/link/session.hpp>

#include <rapidcheck.h>

#include <deque>

using namespace microlith::internal;

namespace {

// Two sessions and the connection between them: frames on their way, in both directions.
struct end {
  explicit end(std::size_t window) : session{window} {}

  link_session session;
  std::deque<link_bytes> incoming;
  std::vector<link_bytes> sent;
  std::vector<link_bytes> arrived;
  std::size_t most_partial_bytes = 0;
};

link_bytes message_of(std::size_t size, std::size_t number) {
  link_bytes bytes(size);
  for (std::size_t i = 0; i < size; i += 97)
    bytes[i] = static_cast<std::byte>(number + i);
  return bytes;
}

void say(end& from, std::size_t size) {
  from.sent.push_back(message_of(size, from.sent.size()));
  link_bytes records;
  append_records(records, from.sent.back());
  from.session.queue(std::move(records));
}

/// Puts what `from` may send on the connection; false if there is nothing.
bool pump(end& from, end& to) {
  link_bytes frame_bytes;
  bool any = from.session.write_data(frame_bytes);
  if (!any && from.session.owes_acknowledgement()) {
    from.session.write_control(frame_bytes, frame_kind::ack);
    any = true;
  }
  if (any)
    to.incoming.push_back(std::move(frame_bytes));
  return any;
}

std::string deliver(end& to) {
  frame_reader reader{max_frame_bytes};
  reader.feed(to.incoming.front());
  auto taken = to.session.take(*reader.next(), [&](std::span<const std::byte> message) {
    to.arrived.emplace_back(message.begin(), message.end());
  });
  to.incoming.pop_front();
  to.most_partial_bytes = std::max(to.most_partial_bytes, to.session.partial_bytes());
  return taken.violation;
}

void give_credit(end& a, end& b) {
  a.session.set_peer_credit(b.session.credit());
  b.session.set_peer_credit(a.session.credit());
}

/// What was on its way is gone; a new connection begins where each has got to.
bool reconnect(end& a, end& b) {
  a.incoming.clear();
  b.incoming.clear();
  auto a_has = a.session.received();
  auto b_has = b.session.received();
  give_credit(a, b);
  return a.session.resume(b_has) && b.session.resume(a_has);
}

void run_until_idle(end& a, end& b) {
  bool busy = true;
  while (busy) {
    busy = pump(a, b) | pump(b, a);
    for (auto* to : {&a, &b})
      for (; !to->incoming.empty(); busy = true)
        RC_ASSERT(deliver(*to) == "");
  }
}

frame frame_in(const link_bytes& bytes) {
  return {static_cast<frame_kind>(bytes[frame_length_bytes]),
          std::span{bytes}.subspan(frame_header_bytes)};
}

std::string violation_of(link_session& session, const link_bytes& bytes) {
  return session.take(frame_in(bytes), [](std::span<const std::byte>) {}).violation;
}

link_bytes data_frame(std::uint64_t received, std::uint64_t first,
                      const std::vector<std::size_t>& sizes) {
  link_bytes bytes;
  frame_writer to{bytes, frame_kind::data};
  to.put_u64(received);
  to.put_u64(1 << 20);
  to.put_u64(first);
  link_bytes records;
  for (auto size : sizes)
    append_records(records, link_bytes(size));
  to.put_bytes(records);
  return bytes;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(session)

BOOST_AUTO_TEST_CASE(every_message_arrives_once_and_in_order_whatever_the_connections_lose) {
  BOOST_TEST(rc::check([](const std::vector<std::pair<std::uint8_t, std::uint16_t>>& steps) {
    const std::size_t window = max_record_bytes + 2 * acknowledge_after_bytes;
    end a{window};
    end b{window};
    give_credit(a, b);
    for (auto [what, amount] : steps) {
      auto& from = what % 2 == 0 ? a : b;
      auto& to = what % 2 == 0 ? b : a;
      switch (what / 2 % 8) {
        case 0:
        case 1:
        case 2:
          say(from, amount % 500U);
          break;
        case 3:
          say(from, amount * 10U);
          break;  // also longer than a record, and than the window
        case 4:
        case 5:
          (void)pump(from, to);
          break;
        case 6:
          for (auto n = amount % 4U; n > 0 && !to.incoming.empty(); --n)
            RC_ASSERT(deliver(to) == "");
          break;
        case 7:
          RC_ASSERT(reconnect(a, b));
          break;
      }
    }
    RC_ASSERT(reconnect(a, b));
    run_until_idle(a, b);
    RC_ASSERT(b.arrived == a.sent);
    RC_ASSERT(a.arrived == b.sent);
    RC_ASSERT(std::max(a.most_partial_bytes, b.most_partial_bytes) <= max_link_message_bytes);
    // A last word acknowledges all: nothing is kept.
    link_bytes word;
    b.session.write_control(word, frame_kind::pong);
    RC_ASSERT(violation_of(a.session, word) == "");
    RC_ASSERT(a.session.all_acknowledged());
    RC_ASSERT(a.session.kept_bytes() == 0U);
  }));
}

BOOST_AUTO_TEST_CASE(messages_that_wait_go_in_one_frame) {
  end a{receive_window_bytes};
  end b{receive_window_bytes};
  give_credit(a, b);
  for (int i = 0; i < 200; ++i)
    say(a, 200);
  BOOST_TEST(pump(a, b));
  BOOST_TEST(!pump(a, b));
  BOOST_TEST(deliver(b) == "");
  BOOST_TEST(b.arrived.size() == 200U);
}

BOOST_AUTO_TEST_CASE(no_frame_is_longer_than_allowed) {
  end a{receive_window_bytes};
  end b{receive_window_bytes};
  give_credit(a, b);
  say(a, 60'000);
  say(a, max_link_message_bytes);
  while (pump(a, b))
    BOOST_TEST(b.incoming.back().size() <= max_frame_bytes);
  BOOST_TEST(b.incoming.size() > 1U);
}

BOOST_AUTO_TEST_CASE(no_more_is_sent_than_the_peer_has_room_for) {
  end a{10'000};
  end b{10'000};
  give_credit(a, b);
  for (int i = 0; i < 100; ++i)
    say(a, 996);
  while (pump(a, b)) {
  }
  std::size_t on_the_way = 0;
  for (const auto& one : b.incoming)
    on_the_way += one.size();
  BOOST_TEST(on_the_way < 10'000U + 100U);
  BOOST_TEST(on_the_way > 9'000U);
}

BOOST_AUTO_TEST_CASE(a_peer_that_sends_more_than_there_is_room_for_is_refused) {
  link_session session{1'000};
  BOOST_TEST(violation_of(session, data_frame(0, 0, {990})) == "");
  BOOST_TEST(violation_of(session, data_frame(0, 1, {3})) != "");
}

BOOST_AUTO_TEST_CASE(duplicates_are_dropped_and_gaps_are_refused) {
  link_session session;
  std::size_t arrived = 0;
  auto count = [&](std::span<const std::byte>) { ++arrived; };
  auto three = data_frame(0, 0, {1, 2, 3});
  auto overlapping = data_frame(0, 1, {2, 3, 4});
  BOOST_TEST(session.take(frame_in(three), count).violation == "");
  BOOST_TEST(session.take(frame_in(overlapping), count).violation == "");
  BOOST_TEST(session.take(frame_in(three), count).violation == "");
  BOOST_TEST(arrived == 4U);
  BOOST_TEST(session.received() == 4U);
  BOOST_TEST(violation_of(session, data_frame(0, 5, {1})) != "");
}

BOOST_AUTO_TEST_CASE(an_acknowledgement_of_what_was_not_sent_is_refused) {
  link_session session;
  link_bytes records;
  append_records(records, link_bytes(10));
  session.queue(std::move(records));
  BOOST_TEST(violation_of(session, data_frame(1, 0, {})) != "");
  BOOST_TEST(!session.resume(1));
}

BOOST_AUTO_TEST_CASE(a_message_that_never_ends_is_refused) {
  link_session session{std::size_t{1} << 30};
  std::string violation;
  std::uint64_t number = 0;
  for (; number < 100 && violation.empty(); ++number) {
    link_bytes bytes;
    {
      frame_writer to{bytes, frame_kind::data};
      to.put_u64(0);
      to.put_u64(0);
      to.put_u64(number);
      to.put_u32(static_cast<std::uint32_t>(max_record_bytes << 1 | 1));
      to.put_bytes(link_bytes(max_record_bytes));
    }
    violation = violation_of(session, bytes);
  }
  BOOST_TEST(violation == "a message that is too long");
  BOOST_TEST(session.partial_bytes() <= max_link_message_bytes);
}

BOOST_AUTO_TEST_CASE(records_that_are_cut_off_or_too_long_are_refused) {
  auto frame_with = [](std::uint32_t prefix, std::size_t size) {
    link_bytes bytes;
    frame_writer to{bytes, frame_kind::data};
    to.put_u64(0);
    to.put_u64(0);
    to.put_u64(0);
    to.put_u32(prefix);
    to.put_bytes(link_bytes(size));
    return bytes;
  };
  link_session session;
  BOOST_TEST(violation_of(session, frame_with(10 << 1, 9)) != "");
  BOOST_TEST(violation_of(session, frame_with(0xFFFF'FFFF, 9)) != "");
  BOOST_TEST(violation_of(session, frame_with(10 << 1, 12)) != "");
}

BOOST_AUTO_TEST_CASE(an_outbox_takes_only_what_fits_and_only_while_it_is_open) {
  outbox box{"b", "127.0.0.1:1", 1'000};
  link_bytes message(400);
  BOOST_TEST((box.put(message).outcome == sent::unreachable));
  box.open(true);
  auto first = box.put(message);
  BOOST_TEST((first.outcome == sent::taken));
  BOOST_TEST(first.wake);
  BOOST_TEST(!box.put(message).wake);
  BOOST_TEST((box.put(message).outcome == sent::overloaded));
  BOOST_TEST(box.take().size() == 808U);
  // Sent is not acknowledged.
  BOOST_TEST((box.put(message).outcome == sent::overloaded));
  box.release(404);
  BOOST_TEST(box.put(message).wake);
  BOOST_TEST(box.status().messages_sent == 3U);
  BOOST_TEST(box.status().unacknowledged_bytes == 808U);
  box.shut();
  BOOST_TEST((box.put(message).outcome == sent::unreachable));
  box.drop();
  BOOST_TEST(box.take().empty());
  box.open(true);
  BOOST_TEST((box.put(link_bytes(max_link_message_bytes + 1)).outcome == sent::overloaded));
}

BOOST_AUTO_TEST_SUITE_END()
