// NATS over its own library: request and reply between two connections of this process, durable
// publishing with acknowledgements (JetStream, file storage), fan-out.

#include "../two_processes.hpp"

#include <nats/nats.h>

#include <atomic>
#include <unordered_map>

namespace {

using namespace bench;

constexpr std::size_t event_bytes = 200;
constexpr double most_lone_per_second = 20'000;

void check(natsStatus status, std::string_view attempt) {
  if (status != NATS_OK)
    give_up(attempt, natsStatus_GetText(status));
}

natsConnection* connect(const arguments& from) {
  natsOptions* options = nullptr;
  check(natsOptions_Create(&options), "NATS options");
  auto url = "nats://127.0.0.1:" + from.text("port", "4222");
  check(natsOptions_SetURL(options, url.c_str()), "NATS address");
  // Lone messages leave at once; many leave together, which the library does by itself. Whichever
  // is better for it: measured.
  bool lone = from.count("in-flight", 1) == 1 && from.number("rate", 0) <= most_lone_per_second;
  check(natsOptions_SetSendAsap(options, lone), "NATS options");
  natsConnection* to = nullptr;
  check(natsConnection_Connect(&to, options), "connect to NATS");
  natsOptions_Destroy(options);
  return to;
}

/// Publishes with a reply subject that names the operation, and waits for the replies on one
/// subscription, as the library's own asynchronous publishing does.
class correlated {
 public:
  correlated(const arguments& from, std::string subject, std::size_t bytes, std::string sync)
      : from_{from},
        subject_{std::move(subject)},
        sync_{std::move(sync)},
        payload_(bytes, 'x'),
        connection_{connect(from)},
        due_(slots),
        work_{plan{from},
              [this](std::uint64_t number, steady::time_point due) { send(number, due); }} {
    natsInbox* inbox = nullptr;
    check(natsInbox_Create(&inbox), "NATS inbox");
    inbox_ = std::string{inbox} + ".";
    natsInbox_Destroy(inbox);
    check(natsConnection_Subscribe(&replies_, connection_, (inbox_ + "*").c_str(),
                                   &correlated::on_reply, this),
          "subscribe");
    check(natsSubscription_SetPendingLimits(replies_, -1, -1), "subscribe");
    check(natsConnection_Flush(connection_), "flush");
  }

  void run() {
    work_.run();
    work_.print(from_, sync_);
    std::fflush(stdout);
    std::_Exit(0);  // the library's threads end with the process
  }

 private:
  static constexpr std::size_t slots = 65'536;

  void send(std::uint64_t number, steady::time_point due) {
    due_[number % slots] = due;
    auto reply = inbox_ + std::to_string(number);
    check(natsConnection_PublishRequest(connection_, subject_.c_str(), reply.c_str(),
                                        payload_.data(), static_cast<int>(payload_.size())),
          "publish");
  }
  static void on_reply(natsConnection*, natsSubscription*, natsMsg* message, void* self) {
    auto& me = *static_cast<correlated*>(self);
    std::string_view body{natsMsg_GetData(message),
                          static_cast<std::size_t>(natsMsg_GetDataLength(message))};
    if (body.find("\"error\"") != body.npos || natsMsg_IsNoResponders(message))
      give_up("NATS", body.empty() ? "nobody answers" : body);
    auto number = std::strtoull(natsMsg_GetSubject(message) + me.inbox_.size(), nullptr, 10);
    natsMsg_Destroy(message);
    me.work_.ended(me.due_[number % slots]);
  }

  const arguments& from_;
  std::string subject_;
  std::string sync_;
  std::string payload_;
  std::string inbox_;
  natsConnection* connection_ = nullptr;
  natsSubscription* replies_ = nullptr;
  std::vector<steady::time_point> due_;
  shared_load work_;
};

void answer(natsConnection* by, natsSubscription*, natsMsg* message, void*) {
  natsConnection_Publish(by, natsMsg_GetReply(message), natsMsg_GetData(message),
                         natsMsg_GetDataLength(message));
  natsMsg_Destroy(message);
}

void request(const arguments& from) {
  auto* serves = connect(from);
  natsSubscription* questions = nullptr;
  check(natsConnection_Subscribe(&questions, serves, "bench.ping", answer, nullptr), "subscribe");
  check(natsSubscription_SetPendingLimits(questions, -1, -1), "subscribe");
  check(natsConnection_Flush(serves), "flush");
  auto bytes = from.count("bytes", 8);
  correlated{from, "bench.ping", bytes, "nothing is stored"}.run();
}

void append(const arguments& from) {
  auto* c = connect(from);
  jsCtx* js = nullptr;
  check(natsConnection_JetStream(&js, c, nullptr), "JetStream");
  jsStreamConfig config;
  check(jsStreamConfig_Init(&config), "JetStream");
  const char* subjects[] = {"bench.events"};
  config.Name = "EVENTS";
  config.Subjects = subjects;
  config.SubjectsLen = 1;
  config.Storage = js_FileStorage;
  jsErrCode code{};
  auto status = js_AddStream(nullptr, js, &config, nullptr, &code);
  if (status != NATS_OK)
    give_up("create a stream", natsStatus_GetText(status));
  correlated{from, "bench.events", event_bytes,
             "not synced: written to a file, which the server syncs every two minutes"}
      .run();
}

/// The same between two processes, and events from one to the other.
void nodes(const arguments& from) {
  second_process other{
      from, [&](shared_page& page) {
        auto* c = connect(from);
        natsSubscription* subscription = nullptr;
        check(natsConnection_Subscribe(&subscription, c, "bench.ping", answer, nullptr),
              "subscribe");
        check(natsSubscription_SetPendingLimits(subscription, -1, -1), "subscribe");
        auto receive = [](natsConnection*, natsSubscription*, natsMsg* message, void* to) {
          static_cast<shared_page*>(to)->receive();
          natsMsg_Destroy(message);
        };
        for (std::uint64_t i = 0; i < page.subscribers; ++i) {
          check(natsConnection_Subscribe(&subscription, c, "bench.events", receive, &page),
                "subscribe");
          check(natsSubscription_SetPendingLimits(subscription, -1, -1), "subscribe");
        }
        check(natsConnection_Flush(c), "flush");
        page.set_ready();
        for (;;)
          ::pause();
      }};
  other.wait_until_ready();
  if (from.text("what") != "fan_out") {
    correlated asking{from, "bench.ping", 8, "nothing is stored"};
    asking.run();
    return;
  }
  auto* c = connect(from);
  const std::string event(event_bytes, 'x');
  fan_out(
      from, *other.page, "nothing is stored",
      [&](std::uint64_t) {
        check(
            natsConnection_Publish(c, "bench.events", event.data(), static_cast<int>(event.size())),
            "publish");
      },
      [] {});
  std::_Exit(0);
}

}  // namespace

int main(int argc, char** argv) {
  arguments from{argc, argv};
  if (from.scenario == "request")
    request(from);
  else if (from.scenario == "append")
    append(from);
  else if (from.scenario == "nodes")
    nodes(from);
  else
    give_up("nats", "the scenarios are request, append and nodes");
}
