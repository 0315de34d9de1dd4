// PostgreSQL through libpq in pipeline mode: an insert and its commit as a command, a cursor as a
// replay. Operations are dealt out to --connections; --batched makes what is due on a connection
// one transaction.

#include "../load.hpp"

#include <libpq-fe.h>
#include <poll.h>

#include <cstring>
#include <deque>
#include <memory>
#include <unordered_map>

namespace {

using namespace bench;

constexpr auto insert =
    "INSERT INTO events (stream, version, type, body) VALUES ($1, 1, 'bench.registered', $2) "
    "RETURNING position";
constexpr auto create =
    "DROP TABLE IF EXISTS events, rows;"
    "CREATE TABLE events (position bigserial PRIMARY KEY, stream text NOT NULL, version int NOT "
    "NULL,"
    " type text NOT NULL, body bytea NOT NULL, UNIQUE (stream, version));"
    "CREATE TABLE rows (item bigint PRIMARY KEY, times bigint NOT NULL, last bigint NOT NULL)";
constexpr std::size_t registration_bytes = 130;

PGconn* connect(const arguments& from) {
  auto* to = PQconnectdb(from.text("connection").c_str());
  if (PQstatus(to) != CONNECTION_OK)
    give_up("connect to PostgreSQL", PQerrorMessage(to));
  PQsetNoticeProcessor(
      to, [](void*, const char*) {}, nullptr);
  return to;
}

void expect(PGconn* c, PGresult* result, ExecStatusType wanted = PGRES_COMMAND_OK) {
  if (PQresultStatus(result) != wanted)
    give_up("PostgreSQL", PQerrorMessage(c));
  PQclear(result);
}

class connection {
 public:
  connection(const arguments& from, bool batched) : c_{connect(from)}, batched_{batched} {
    expect(c_, PQprepare(c_, "insert", insert, 2, nullptr));
    if (PQsetnonblocking(c_, 1) != 0 || PQenterPipelineMode(c_) != 1)
      give_up("pipeline mode", PQerrorMessage(c_));
  }
  ~connection() { PQfinish(c_); }
  connection(const connection&) = delete;
  connection& operator=(const connection&) = delete;

  void send(std::uint64_t number, const std::string& body, steady::time_point due) {
    auto stream = "bench.account/user" + std::to_string(number) + "@example.org";
    const char* values[] = {stream.c_str(), body.data()};
    const int lengths[] = {0, static_cast<int>(body.size())};
    const int formats[] = {0, 1};
    if (PQsendQueryPrepared(c_, "insert", 2, values, lengths, formats, 1) != 1)
      give_up("insert", PQerrorMessage(c_));
    pending_.push_back(due);
    if (!batched_)
      sync();
    else
      ++unsynced_;
  }
  void flush() {
    // One transaction at a time: what comes meanwhile makes the next.
    if (unsynced_ > 0)
      sync();
    if (PQflush(c_) < 0)
      give_up("write to PostgreSQL", PQerrorMessage(c_));
  }
  /// Operations whose commit has been acknowledged since.
  void receive(load& work) {
    if (PQconsumeInput(c_) != 1)
      give_up("read from PostgreSQL", PQerrorMessage(c_));
    while (!PQisBusy(c_)) {
      auto* result = PQgetResult(c_);
      if (!result) {
        if (PQisBusy(c_) || syncs_ == 0)
          break;
        continue;
      }
      auto status = PQresultStatus(result);
      if (status == PGRES_TUPLES_OK) {
        ++inserted_;
      } else if (status == PGRES_PIPELINE_SYNC) {
        --syncs_;
        for (; inserted_ > 0; --inserted_) {
          work.ended(pending_.front());
          pending_.pop_front();
        }
      } else {
        give_up("insert", PQresultErrorMessage(result));
      }
      PQclear(result);
    }
  }
  [[nodiscard]] bool takes_more() const { return !batched_ || syncs_ == 0; }
  [[nodiscard]] int socket() const { return PQsocket(c_); }

 private:
  void sync() {
    if (PQpipelineSync(c_) != 1)
      give_up("pipeline", PQerrorMessage(c_));
    ++syncs_;
    unsynced_ = 0;
  }

  PGconn* c_;
  bool batched_;
  std::deque<steady::time_point> pending_;
  std::size_t unsynced_ = 0;
  std::size_t syncs_ = 0;
  std::size_t inserted_ = 0;
};

void command(const arguments& from) {
  auto* setup = connect(from);
  expect(setup, PQexec(setup, create));
  PQfinish(setup);
  auto batched = from.text("batched") == "yes";
  std::vector<std::unique_ptr<connection>> connections;
  std::vector<pollfd> polled;
  for (std::uint64_t i = 0; i < from.count("connections", 1); ++i) {
    connections.push_back(std::make_unique<connection>(from, batched));
    polled.push_back({connections.back()->socket(), POLLIN, 0});
  }
  const std::string body(registration_bytes, 'x');
  load work{plan{from}};
  std::size_t turn = 0;
  // Dealt out evenly among those that take more, so that a batch does not leave the others idle.
  auto next = [&]() -> connection* {
    for (std::size_t i = 0; i < connections.size(); ++i) {
      auto& candidate = *connections[turn++ % connections.size()];
      if (candidate.takes_more())
        return &candidate;
    }
    return nullptr;
  };
  while (!work.over()) {
    connection* to = nullptr;
    while (work.may_begin() && (to = next())) {
      auto due = work.began();
      to->send(work.number(), body, due);
    }
    for (auto& one : connections)
      one->flush();
    auto wait = std::max(work.next_due() - steady::now(), steady::duration::zero());
    auto wait_ns = std::chrono::duration_cast<std::chrono::nanoseconds>(wait).count();
    if (work.may_begin() && !to)
      wait_ns = 1'000'000;  // every connection is busy with a batch
    timespec limit{wait_ns / 1'000'000'000, wait_ns % 1'000'000'000};
    if (::ppoll(polled.data(), polled.size(), &limit, nullptr) <= 0)
      continue;
    for (std::size_t i = 0; i < connections.size(); ++i) {
      if (polled[i].revents != 0)
        connections[i]->receive(work);
    }
  }
  work.print(from, batched ? "synchronous_commit: each commit; one for what is due on a connection"
                           : "synchronous_commit: each commit; one for each command");
}

void replay(const arguments& from) {
  auto* c = connect(from);
  auto events = from.count("events", 100'000);
  auto into_rows = from.text("into") == "rows";
  auto run = [&](const std::string& sql) { expect(c, PQexec(c, sql.c_str())); };
  run(create);
  run("INSERT INTO events (stream, version, type, body) SELECT 'bench/' || n, 1, "
      "'bench.item_added',"
      " decode(lpad(to_hex(n % 10000), 16, '0') || repeat('78', 172), 'hex')"
      " FROM generate_series(1, " +
      std::to_string(events) + ") n");
  run("ANALYZE events");
  std::unordered_map<std::uint64_t, std::uint64_t> rows;
  std::uint64_t seen = 0;
  auto* reader = connect(from);
  auto start = steady::now();
  expect(reader, PQexec(reader,
                        "BEGIN; DECLARE replay NO SCROLL CURSOR FOR SELECT position, body "
                        "FROM events ORDER BY position"));
  for (;;) {
    auto* page =
        PQexecParams(reader, "FETCH 10000 FROM replay", 0, nullptr, nullptr, nullptr, nullptr, 1);
    if (PQresultStatus(page) != PGRES_TUPLES_OK)
      give_up("fetch", PQerrorMessage(reader));
    auto count = PQntuples(page);
    if (count == 0) {
      PQclear(page);
      break;
    }
    std::unordered_map<std::uint64_t, std::uint64_t> of_page;
    auto& to = into_rows ? of_page : rows;
    for (int i = 0; i < count; ++i) {
      std::uint64_t item = 0;
      std::memcpy(&item, PQgetvalue(page, i, 1), sizeof item);
      ++to[__builtin_bswap64(item)];
    }
    seen += static_cast<std::uint64_t>(count);
    PQclear(page);
    if (into_rows) {  // a page is one statement and one commit
      std::string items;
      std::string times;
      for (auto [item, n] : of_page) {
        items += (items.empty() ? "" : ",") + std::to_string(item);
        times += (times.empty() ? "" : ",") + std::to_string(n);
      }
      auto at = std::to_string(seen);
      run("INSERT INTO rows SELECT i, t, " + at + " FROM unnest('{" + items + "}'::bigint[], '{" +
          times +
          "}'::bigint[]) AS page(i, t) ON CONFLICT (item) DO UPDATE SET times = rows.times + "
          "excluded.times, last = excluded.last");
    }
  }
  auto took = std::chrono::duration<double>(steady::now() - start).count();
  if (seen != events)
    give_up("replay", "events are missing");
  std::printf(
      "{\"scenario\": \"replay\", \"into\": \"%s\", \"operations\": %llu, \"seconds\": %.6f, "
      "\"sync\": \"%s\"}\n",
      into_rows ? "rows" : "memory", static_cast<unsigned long long>(seen), took,
      into_rows ? "synchronous_commit: each page of 10,000 events" : "reads only");
  PQfinish(reader);
  PQfinish(c);
}

}  // namespace

int main(int argc, char** argv) {
  arguments from{argc, argv};
  if (from.scenario == "command")
    command(from);
  else if (from.scenario == "replay")
    replay(from);
  else
    give_up("postgresql", "the scenarios are command and replay");
}
