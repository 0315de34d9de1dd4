// Redis Streams over one connection, pipelined: XADD as an append, XRANGE pages as a replay.

#include "../load.hpp"

#include <hiredis/hiredis.h>
#include <poll.h>

#include <deque>
#include <unordered_map>

namespace {

using namespace bench;

constexpr auto sync_mode = "appendfsync always: before the reply; what is pipelined shares one";
constexpr auto stream = "events";
constexpr std::size_t event_bytes = 200;
constexpr int page_events = 1'000;

redisContext* connect(const arguments& from) {
  auto* to = redisConnect("127.0.0.1", static_cast<int>(from.count("port", 6379)));
  if (!to || to->err)
    give_up("connect to Redis", to ? to->errstr : "out of memory");
  return to;
}

redisReply* expect(redisContext* c, void* reply) {
  if (!reply)
    give_up("Redis", c->errstr);
  auto* r = static_cast<redisReply*>(reply);
  if (r->type == REDIS_REPLY_ERROR)
    give_up("Redis", r->str);
  return r;
}

void append(const arguments& from) {
  auto* c = connect(from);
  const std::string event(event_bytes, 'x');
  char* add = nullptr;  // the same bytes each time: formatted once
  auto add_bytes = redisFormatCommand(&add, "XADD %s * d %b", stream, event.data(), event.size());
  load work{plan{from}};
  std::deque<steady::time_point> due;
  while (!work.over()) {
    while (work.may_begin()) {
      due.push_back(work.began());
      redisAppendFormattedCommand(c, add, static_cast<std::size_t>(add_bytes));
    }
    int written = 0;
    while (!written) {
      if (redisBufferWrite(c, &written) != REDIS_OK)
        give_up("write to Redis", c->errstr);
    }
    auto wait = std::chrono::duration_cast<std::chrono::nanoseconds>(
        std::max(work.next_due() - steady::now(), steady::duration::zero()));
    timespec limit{wait.count() / 1'000'000'000, wait.count() % 1'000'000'000};
    pollfd readable{c->fd, POLLIN, 0};
    if (::ppoll(&readable, 1, &limit, nullptr) <= 0)
      continue;
    if (redisBufferRead(c) != REDIS_OK)
      give_up("read from Redis", c->errstr);
    for (;;) {
      void* reply = nullptr;
      if (redisGetReplyFromReader(c, &reply) != REDIS_OK)
        give_up("read from Redis", c->errstr);
      if (!reply)
        break;
      freeReplyObject(expect(c, reply));
      work.ended(due.front());
      due.pop_front();
    }
  }
  work.print(from, sync_mode);
  redisFreeCommand(add);
  redisFree(c);
}

/// Calls `page(reply)` for all pages of the stream; the events that there were.
template <class Page>
std::uint64_t read_all(redisContext* c, Page page) {
  std::uint64_t events = 0;
  std::string next = "-";
  for (;;) {
    auto* r =
        expect(c, redisCommand(c, "XRANGE %s %s + COUNT %d", stream, next.c_str(), page_events));
    if (r->elements == 0) {
      freeReplyObject(r);
      return events;
    }
    events += r->elements;
    page(r);
    next = std::string{"("} + r->element[r->elements - 1]->element[0]->str;
    freeReplyObject(r);
  }
}

void replay(const arguments& from) {
  auto* c = connect(from);
  auto events = from.count("events", 100'000);
  auto into_rows = from.text("into") == "rows";
  const std::string filler(event_bytes - 16, 'x');
  freeReplyObject(expect(c, redisCommand(c, "FLUSHALL")));
  for (std::uint64_t i = 0; i < events; i += page_events) {
    for (int k = 0; k < page_events; ++k)
      redisAppendCommand(c, "XADD %s * item %llu d %b", stream,
                         static_cast<unsigned long long>((i + static_cast<unsigned>(k)) % 10'000),
                         filler.data(), filler.size());
    for (int k = 0; k < page_events; ++k) {
      void* reply = nullptr;
      redisGetReply(c, &reply);
      freeReplyObject(expect(c, reply));
    }
  }
  std::unordered_map<std::uint64_t, std::uint64_t> rows;
  auto start = steady::now();
  auto seen = read_all(c, [&](redisReply* page) {
    for (std::size_t i = 0; i < page->elements; ++i) {
      auto* fields = page->element[i]->element[1];
      auto item = std::strtoull(fields->element[1]->str, nullptr, 10);
      if (into_rows)
        redisAppendCommand(c, "HINCRBY rows %llu 1", item);
      else
        ++rows[item];
    }
    for (std::size_t i = 0; into_rows && i < page->elements; ++i) {
      void* reply = nullptr;
      redisGetReply(c, &reply);
      freeReplyObject(expect(c, reply));
    }
  });
  auto took = std::chrono::duration<double>(steady::now() - start).count();
  if (seen < events)
    give_up("replay", "events are missing");
  std::printf(
      "{\"scenario\": \"replay\", \"into\": \"%s\", \"operations\": %llu, \"seconds\": %.6f, "
      "\"sync\": \"%s\"}\n",
      into_rows ? "rows" : "memory", static_cast<unsigned long long>(seen), took,
      into_rows ? sync_mode : "reads only");
  redisFree(c);
}

}  // namespace

int main(int argc, char** argv) {
  arguments from{argc, argv};
  if (from.scenario == "append")
    append(from);
  else if (from.scenario == "replay")
    replay(from);
  else
    give_up("redis", "the scenarios are append and replay");
}
