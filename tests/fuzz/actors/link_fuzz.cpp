// What links read from a connection: frames, what belongs to a session, and the words of strangers.
// The first byte chooses, the second how the bytes are cut.

#include "fuzz/fuzz.hpp"

#include <microlith/actors/internal/link/engine.hpp>

#include <algorithm>
#include <chrono>
#include <string>

using namespace microlith;
using namespace microlith::internal;

namespace {

/// Feeds the bytes in pieces; calls `take` for each frame until it says no.
template <class F>
void read_frames(frame_reader& reader, std::size_t limit, std::span<const std::byte> bytes,
                 std::size_t piece, F take) {
  while (!bytes.empty() && reader.broken().empty()) {
    auto part = bytes.first(std::min(bytes.size(), piece));
    bytes = bytes.subspan(part.size());
    reader.feed(part);
    while (auto next = reader.next()) {
      test::must(next->payload.size() + frame_header_bytes <= limit,
                 "no frame is beyond the limit");
      if (!take(*next))
        return;
    }
    test::must(reader.kept_bytes() <= limit, "no more is kept than a frame may have");
  }
}

void read_session(std::span<const std::byte> bytes, std::size_t piece) {
  link_session session;
  link_bytes records(1'000);
  records[0] = std::byte{2};  // one record of a byte, then many of none
  session.queue({records.begin(), records.begin() + 5});
  session.set_peer_credit(1'000);
  link_bytes sent;
  test::must(session.write_data(sent), "what fits is sent");
  frame_reader reader{max_frame_bytes};
  std::size_t messages = 0;
  read_frames(reader, max_frame_bytes, bytes, piece, [&](const frame& one) {
    auto before = session.received();
    auto taken = session.take(one, [&](std::span<const std::byte> message) {
      ++messages;
      test::must(message.size() <= max_link_message_bytes, "no message is too long");
    });
    test::must(session.received() >= before, "what was taken stays taken");
    test::must(messages <= session.received(), "a message is a record at least");
    test::must(session.partial_bytes() <= max_link_message_bytes, "a part is no longer than all");
    test::planted_bug(!taken.violation.empty() && messages > 0);
    return taken.violation.empty();
  });
}

class silent_wire final : public link_wire {
 public:
  void dial(connection_id, const std::string&) override {}
  void knock(connection_id, const std::string&) override {}
  void write(connection_id, std::span<const std::byte> bytes) override { written += bytes.size(); }
  void finish(connection_id) override {}
  void abort(connection_id) override {}
  std::size_t written = 0;
};

class no_events final : public link_events {
 public:
  void joined(const std::string&, message_id) override { refuse(); }
  void arrived(const std::string&, std::span<const std::byte>) override { refuse(); }
  void interrupted(const std::string&, const std::string&) override { refuse(); }
  void resumed(const std::string&) override { refuse(); }
  void lost(const std::string&, const std::string&) override { refuse(); }

 private:
  static void refuse() { test::must(false, "a stranger is nobody's peer"); }
};

void meet_stranger(std::span<const std::byte> bytes, std::size_t piece) {
  silent_wire wire;
  no_events events;
  link_options options;
  options.name = std::string{"b"};
  options.incarnation = message_id{1, 1};
  std::vector boxes{std::make_shared<outbox>("a", "127.0.0.1:1", max_link_message_bytes),
                    std::make_shared<outbox>("c", "127.0.0.1:2", max_link_message_bytes)};
  link_engine engine{options, std::string{"nobody knows"}, nullptr, boxes, wire, 1};
  link_time now{std::chrono::hours{1}};
  engine.start(events, now);
  auto stranger = engine.accepted("a stranger", now);
  while (!bytes.empty()) {
    auto part = bytes.first(std::min(bytes.size(), piece));
    bytes = bytes.subspan(part.size());
    engine.received(stranger, part, now);
  }
  test::must(wire.written < 2 * max_handshake_frame_bytes, "a stranger hears little");
  engine.advance(now + handshake_limit);
  test::must(engine.connection_count() == 0, "a stranger is gone when its time is up");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 2)
    return 0;
  auto bytes = std::as_bytes(std::span{data, size}).subspan(2);
  std::size_t piece = 1U + data[1];
  switch (data[0] % 3) {
    case 0: {
      frame_reader reader{max_handshake_frame_bytes};
      read_frames(reader, max_handshake_frame_bytes, bytes, piece,
                  [](const frame&) { return true; });
      break;
    }
    case 1:
      read_session(bytes, piece);
      break;
    default:
      meet_stranger(bytes, piece);
      break;
  }
  return 0;
}
