// RabbitMQ over one connection: persistent messages to a durable queue with publisher confirms as
// appends; a request through a queue and its reply.

#include "../load.hpp"

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

}  // namespace

int main(int argc, char** argv) {
  arguments from{argc, argv};
  if (from.scenario == "append")
    append(from);
  else
    give_up("rabbitmq", "the scenario is append");
}
