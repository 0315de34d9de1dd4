// RabbitMQ over one connection: persistent messages to a durable queue with publisher confirms as
// appends; a request through a queue and its reply.

#include "../two_processes.hpp"

#include <amqp.h>
#include <amqp_framing.h>
#include <amqp_tcp_socket.h>
#include <sys/socket.h>

#include <deque>

namespace {

using namespace bench;

constexpr std::size_t event_bytes = 200;
constexpr int frame_bytes = 131'072;

void check(int status, std::string_view attempt) {
  if (status < 0)
    give_up(attempt, amqp_error_string2(status));
}

void check(amqp_rpc_reply_t reply, std::string_view attempt) {
  if (reply.reply_type == AMQP_RESPONSE_NORMAL)
    return;
  give_up(attempt, reply.reply_type == AMQP_RESPONSE_LIBRARY_EXCEPTION
                       ? amqp_error_string2(reply.library_error)
                       : "the server refused");
}

class connection {
 public:
  explicit connection(const arguments& from) : c{amqp_new_connection()} {
    auto* socket = amqp_tcp_socket_new(c);
    check(amqp_socket_open(socket, "127.0.0.1", static_cast<int>(from.count("port", 5672))),
          "connect to RabbitMQ");
    check(amqp_login(c, "/", 0, frame_bytes, 0, AMQP_SASL_METHOD_PLAIN, "guest", "guest"),
          "log in");
    amqp_channel_open(c, 1);
    check(amqp_get_rpc_reply(c), "open a channel");
  }
  ~connection() {
    amqp_connection_close(c, AMQP_REPLY_SUCCESS);
    amqp_destroy_connection(c);
  }
  connection(const connection&) = delete;
  connection& operator=(const connection&) = delete;

  /// A frame, if one comes within that time.
  bool frame(amqp_frame_t& to, steady::duration within) {
    amqp_maybe_release_buffers(c);
    auto us = std::max<std::int64_t>(
        std::chrono::duration_cast<std::chrono::microseconds>(within).count(), 0);
    timeval limit{us / 1'000'000, us % 1'000'000};
    auto status = amqp_simple_wait_frame_noblock(c, &to, &limit);
    if (status == AMQP_STATUS_TIMEOUT)
      return false;
    check(status, "read from RabbitMQ");
    return true;
  }
  void publish(const char* exchange, const char* key, std::string_view body,
               const amqp_basic_properties_t* properties) {
    amqp_bytes_t bytes{body.size(), const_cast<char*>(body.data())};
    check(amqp_basic_publish(c, 1, amqp_cstring_bytes(exchange), amqp_cstring_bytes(key), 0, 0,
                             properties, bytes),
          "publish");
  }

  amqp_connection_state_t c;
};

void append(const arguments& from) {
  connection to{from};
  amqp_queue_delete(to.c, 1, amqp_cstring_bytes("events"), 0, 0);
  check(amqp_get_rpc_reply(to.c), "delete the queue");
  amqp_queue_declare(to.c, 1, amqp_cstring_bytes("events"), 0, 1, 0, 0, amqp_empty_table);
  check(amqp_get_rpc_reply(to.c), "declare the queue");
  amqp_confirm_select(to.c, 1);
  check(amqp_get_rpc_reply(to.c), "turn confirms on");
  amqp_basic_properties_t persistent{};
  persistent._flags = AMQP_BASIC_DELIVERY_MODE_FLAG;
  persistent.delivery_mode = AMQP_DELIVERY_PERSISTENT;
  const std::string event(event_bytes, 'x');
  load work{plan{from}};
  // Confirms name delivery tags, which count up from 1; they may come out of order.
  std::deque<std::pair<bool, steady::time_point>> pending;
  std::uint64_t first_tag = 1;
  auto confirm = [&](std::uint64_t tag, bool multiple) {
    auto end = tag - first_tag;
    for (auto i = multiple ? 0 : end; i <= end; ++i) {
      if (!pending[i].first) {
        pending[i].first = true;
        work.ended(pending[i].second);
      }
    }
    for (; !pending.empty() && pending.front().first; ++first_tag)
      pending.pop_front();
  };
  while (!work.over()) {
    while (work.may_begin()) {
      pending.emplace_back(false, work.began());
      to.publish("", "events", event, &persistent);
    }
    auto wait = work.next_due() - steady::now();
    for (amqp_frame_t frame; to.frame(frame, wait); wait = {}) {
      if (frame.frame_type != AMQP_FRAME_METHOD)
        continue;
      if (frame.payload.method.id == AMQP_BASIC_ACK_METHOD) {
        auto* ack = static_cast<amqp_basic_ack_t*>(frame.payload.method.decoded);
        confirm(ack->delivery_tag, ack->multiple != 0);
      } else {
        give_up("append", "RabbitMQ sent something else than a confirm");
      }
    }
  }
  work.print(from, "before the confirm; the server gathers for some milliseconds and syncs once");
}

amqp_bytes_t declare_own_queue(connection& on) {
  auto* made = amqp_queue_declare(on.c, 1, amqp_empty_bytes, 0, 0, 1, 1, amqp_empty_table);
  check(amqp_get_rpc_reply(on.c), "declare a queue");
  return amqp_bytes_malloc_dup(made->queue);
}

void consume(connection& on, amqp_bytes_t queue) {
  amqp_basic_consume(on.c, 1, queue, amqp_empty_bytes, 0, 1, 0, amqp_empty_table);
  check(amqp_get_rpc_reply(on.c), "consume");
}

/// A whole message, if one comes within that time.
bool next_message(connection& on, amqp_envelope_t& to, steady::duration within) {
  amqp_maybe_release_buffers(on.c);
  auto us = std::max<std::int64_t>(
      std::chrono::duration_cast<std::chrono::microseconds>(within).count(), 0);
  timeval limit{us / 1'000'000, us % 1'000'000};
  auto reply = amqp_consume_message(on.c, &to, &limit, 0);
  if (reply.reply_type == AMQP_RESPONSE_LIBRARY_EXCEPTION &&
      reply.library_error == AMQP_STATUS_TIMEOUT)
    return false;
  check(reply, "read from RabbitMQ");
  return true;
}

void serve(const arguments& from, shared_page& page) {
  connection on{from};
  auto questions = declare_own_queue(on);
  std::snprintf(page.address, sizeof page.address, "%.*s", static_cast<int>(questions.len),
                static_cast<char*>(questions.bytes));
  amqp_exchange_declare(on.c, 1, amqp_cstring_bytes("bench.events"), amqp_cstring_bytes("fanout"),
                        0, 0, 0, 0, amqp_empty_table);
  check(amqp_get_rpc_reply(on.c), "declare an exchange");
  consume(on, questions);
  for (std::uint64_t i = 0; i < page.subscribers; ++i) {
    auto events = declare_own_queue(on);
    amqp_queue_bind(on.c, 1, events, amqp_cstring_bytes("bench.events"), amqp_empty_bytes,
                    amqp_empty_table);
    check(amqp_get_rpc_reply(on.c), "bind");
    consume(on, events);
  }
  page.set_ready();
  for (;;) {
    amqp_envelope_t message;
    if (!next_message(on, message, std::chrono::seconds{1}))
      continue;
    auto& properties = message.message.properties;
    if ((properties._flags & AMQP_BASIC_REPLY_TO_FLAG) != 0) {
      std::string to{static_cast<char*>(properties.reply_to.bytes), properties.reply_to.len};
      on.publish("", to.c_str(),
                 {static_cast<char*>(message.message.body.bytes), message.message.body.len},
                 nullptr);
    } else {
      page.receive();
    }
    amqp_destroy_envelope(&message);
  }
}

void ask(const arguments& from, shared_page& page) {
  connection to{from};
  auto answers = declare_own_queue(to);
  consume(to, answers);
  amqp_basic_properties_t properties{};
  properties._flags = AMQP_BASIC_REPLY_TO_FLAG;
  properties.reply_to = answers;
  load work{plan{from}};
  std::deque<steady::time_point> due;  // one queue each way: answers come in order
  while (!work.over()) {
    while (work.may_begin()) {
      due.push_back(work.began());
      auto number = work.number();
      to.publish("", page.address, {reinterpret_cast<char*>(&number), sizeof number}, &properties);
    }
    auto wait = work.next_due() - steady::now();
    for (amqp_envelope_t message; next_message(to, message, wait); wait = {}) {
      amqp_destroy_envelope(&message);
      work.ended(due.front());
      due.pop_front();
    }
  }
  work.print(from, "nothing is stored");
}

void nodes(const arguments& from) {
  second_process other{from, [&](shared_page& page) { serve(from, page); }};
  other.wait_until_ready();
  if (from.text("what") != "fan_out") {
    ask(from, *other.page);
    return;
  }
  connection to{from};
  const std::string event(event_bytes, 'x');
  fan_out(
      from, *other.page, "nothing is stored",
      [&](std::uint64_t) { to.publish("bench.events", "", event, nullptr); }, [] {});
}

}  // namespace

int main(int argc, char** argv) {
  arguments from{argc, argv};
  if (from.scenario == "append")
    append(from);
  else if (from.scenario == "nodes")
    nodes(from);
  else
    give_up("rabbitmq", "the scenarios are append and nodes");
}
