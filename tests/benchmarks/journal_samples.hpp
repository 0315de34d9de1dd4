#pragma once

// What the benchmarks of the journal share: events of 200 bytes, raw LMDB to compare with, clocks.

#include <microlith/messages/describe.hpp>
#include <microlith/persistence/journal.hpp>

#include <lmdb.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace bench {

using steady = std::chrono::steady_clock;

struct item_added_event {
  using message = microlith::event<"bench.item_added_event">;
  std::uint64_t item = 0;
  std::string text;
};
BOOST_DESCRIBE_STRUCT(item_added_event, (), (item, text))

constexpr std::size_t record_bytes = 200;
constexpr std::size_t batch_events = 1000;

[[noreturn]] inline void fail(std::string_view what, const std::string& why) {
  std::fprintf(stderr, "%.*s: %s\n", static_cast<int>(what.size()), what.data(), why.c_str());
  std::exit(1);
}

inline void check(int code, const char* what) {
  if (code != 0)
    fail(what, mdb_strerror(code));
}

inline double seconds_since(steady::time_point start) {
  return std::chrono::duration<double>(steady::now() - start).count();
}

inline std::size_t memory_bytes() {
  std::ifstream status{"/proc/self/status"};
  for (std::string line; std::getline(status, line);) {
    if (line.starts_with("RssAnon:"))
      return std::strtoull(line.c_str() + 8, nullptr, 10) * 1024;
  }
  return 0;
}

/// LMDB alone.
class raw_journal {
 public:
  explicit raw_journal(const std::filesystem::path& directory) {
    std::filesystem::create_directories(directory);
    check(mdb_env_create(&env_), "create");
    check(mdb_env_set_mapsize(env_, std::size_t{64} << 30), "mapsize");
    check(mdb_env_set_maxdbs(env_, 4), "maxdbs");
    check(mdb_env_open(env_, directory.c_str(), MDB_NOTLS, 0600), "open");
    MDB_txn* txn = nullptr;
    check(mdb_txn_begin(env_, nullptr, 0, &txn), "begin");
    check(mdb_dbi_open(txn, "events", MDB_CREATE | MDB_INTEGERKEY, &events_), "table");
    check(mdb_txn_commit(txn), "commit");
  }
  ~raw_journal() { mdb_env_close(env_); }

  double append(std::size_t events = batch_events) {
    auto start = steady::now();
    MDB_txn* txn = nullptr;
    check(mdb_txn_begin(env_, nullptr, 0, &txn), "begin");
    for (std::size_t i = 0; i < events; ++i) {
      ++position_;
      MDB_val key{sizeof position_, &position_};
      MDB_val value{record_.size(), record_.data()};
      check(mdb_put(txn, events_, &key, &value, MDB_APPEND), "put");
    }
    check(mdb_txn_commit(txn), "commit");
    return seconds_since(start);
  }

  /// Events a second.
  double scan() {
    auto start = steady::now();
    std::uint64_t sum = 0;
    MDB_txn* txn = nullptr;
    MDB_cursor* cursor = nullptr;
    MDB_val key{};
    MDB_val value{};
    check(mdb_txn_begin(env_, nullptr, MDB_RDONLY, &txn), "begin");
    check(mdb_cursor_open(txn, events_, &cursor), "cursor");
    while (mdb_cursor_get(cursor, &key, &value, MDB_NEXT) == 0)
      sum += *static_cast<unsigned char*>(value.mv_data) + value.mv_size;
    auto took = seconds_since(start);
    mdb_cursor_close(cursor);
    mdb_txn_abort(txn);
    if (sum == 0)
      fail("scan", "nothing there");
    return static_cast<double>(position_) / took;
  }

 private:
  MDB_env* env_ = nullptr;
  MDB_dbi events_ = 0;
  std::uint64_t position_ = 0;
  std::string record_ = std::string(record_bytes, 'x');
};

/// How a batch is cut into appends and streams.
enum class shape { one_append, append_each_of_10000_streams, append_each_new_stream };

inline const char* text(shape s) {
  switch (s) {
    case shape::one_append:
      return "one append of 1,000 events, one stream";
    case shape::append_each_of_10000_streams:
      return "1,000 appends, 10,000 streams";
    case shape::append_each_new_stream:
      return "1,000 appends, each a new stream";
  }
  return "";
}

inline std::string stream_name(std::uint64_t number) {
  char name[32];
  std::snprintf(name, sizeof name, "bench/%010llu", static_cast<unsigned long long>(number));
  return name;
}

/// Its record has 200 bytes: the stream's name has 16, and a command is the cause.
inline microlith::new_event make_event(std::uint64_t item, std::string stream,
                                       const microlith::message_id& command) {
  using namespace microlith;
  // 64 fixed, 8 stream version, 16 causation, the stream's name, 8 + 4 of the body's own fields.
  static const std::string filler(record_bytes - 64 - 8 - 16 - stream_name(0).size() - 12, 'x');
  envelope_head head{.id = message_id::make(),
                     .correlation = {command.high, command.low},
                     .causation = command,
                     .root = command,
                     .facts = {}};
  return {envelope{std::move(head), item_added_event{item, filler}}, std::move(stream)};
}

inline std::vector<microlith::append_request> make_batch(shape s, std::uint64_t& counter) {
  using namespace microlith;
  std::vector<append_request> batch(s == shape::one_append ? 1 : batch_events);
  for (std::size_t i = 0; i < batch_events; ++i) {
    auto& request = batch[s == shape::one_append ? 0 : i];
    if (request.id.empty())
      request.id = message_id::make();
    auto number = ++counter;
    auto stream = s == shape::append_each_new_stream         ? stream_name(number)
                  : s == shape::append_each_of_10000_streams ? stream_name(number * 7919 % 10'000)
                                                             : stream_name(0);
    if (s == shape::append_each_new_stream)
      request.checks.push_back({stream, expected_version::no_stream()});
    request.events.push_back(make_event(number % 100'000, std::move(stream), request.id));
  }
  return batch;
}

inline double append(microlith::journal& to, std::vector<microlith::append_request> batch) {
  auto start = steady::now();
  auto outcomes = to.append(batch);
  auto took = seconds_since(start);
  for (const auto& outcome : outcomes) {
    if (!std::holds_alternative<microlith::appended>(outcome))
      fail("append", "refused");
  }
  return took;
}

inline std::unique_ptr<microlith::journal> open(const std::filesystem::path& directory) {
  auto opened = microlith::journal::open({.directory = directory});
  if (!opened)
    fail("open", opened.error().text);
  return std::move(*opened);
}

/// Of sorted times, in microseconds.
inline double at_share_us(const std::vector<double>& sorted, double share) {
  auto index = static_cast<std::size_t>(static_cast<double>(sorted.size()) * share);
  return sorted[std::min(index, sorted.size() - 1)] * 1e6;
}

}  // namespace bench
