// SQLite as a library, WAL and synchronous=FULL: a command is an insert in a transaction of its
// own, or, with --batched yes, what is due is one transaction.

#include "../load.hpp"

#include <sqlite3.h>

namespace {

using namespace bench;

constexpr std::size_t registration_bytes = 130;

class database {
 public:
  explicit database(const std::string& file) {
    check(sqlite3_open(file.c_str(), &db_), "open");
    run("PRAGMA journal_mode=WAL");
    run("PRAGMA synchronous=FULL");
    run("CREATE TABLE events (position INTEGER PRIMARY KEY, stream TEXT NOT NULL, version INT NOT "
        "NULL,"
        " type TEXT NOT NULL, body BLOB NOT NULL, UNIQUE (stream, version))");
    check(sqlite3_prepare_v2(db_,
                             "INSERT INTO events (stream, version, type, body) VALUES (?, 1, "
                             "'bench.registered', ?)",
                             -1, &insert_, nullptr),
          "prepare");
    check(sqlite3_prepare_v2(db_, "BEGIN IMMEDIATE", -1, &begin_, nullptr), "prepare");
    check(sqlite3_prepare_v2(db_, "COMMIT", -1, &commit_, nullptr), "prepare");
  }
  ~database() {
    for (auto* statement : {insert_, begin_, commit_})
      sqlite3_finalize(statement);
    sqlite3_close(db_);
  }
  database(const database&) = delete;
  database& operator=(const database&) = delete;

  void begin() { step(begin_); }
  void commit() { step(commit_); }
  void insert(std::uint64_t number) {
    auto stream = "bench.account/user" + std::to_string(number) + "@example.org";
    sqlite3_bind_text(insert_, 1, stream.c_str(), static_cast<int>(stream.size()),
                      SQLITE_TRANSIENT);
    sqlite3_bind_blob(insert_, 2, body_.data(), static_cast<int>(body_.size()), SQLITE_STATIC);
    step(insert_);
  }

 private:
  void check(int code, const char* attempt) {
    if (code != SQLITE_OK)
      give_up(attempt, sqlite3_errmsg(db_));
  }
  void run(const char* sql) { check(sqlite3_exec(db_, sql, nullptr, nullptr, nullptr), sql); }
  void step(sqlite3_stmt* statement) {
    if (sqlite3_step(statement) != SQLITE_DONE)
      give_up("SQLite", sqlite3_errmsg(db_));
    sqlite3_reset(statement);
  }

  sqlite3* db_ = nullptr;
  sqlite3_stmt* insert_ = nullptr;
  sqlite3_stmt* begin_ = nullptr;
  sqlite3_stmt* commit_ = nullptr;
  const std::string body_ = std::string(registration_bytes, 'x');
};

void command(const arguments& from) {
  database db{from.text("directory") + "/events.sqlite"};
  auto batched = from.text("batched") == "yes";
  load work{plan{from}};
  std::vector<std::pair<std::uint64_t, steady::time_point>> due;
  while (!work.over()) {
    while (work.may_begin()) {
      auto at = work.began();
      due.emplace_back(work.number(), at);
      if (!batched)
        break;
    }
    if (due.empty()) {
      std::this_thread::sleep_until(work.next_due());
      continue;
    }
    db.begin();
    for (auto& [number, at] : due)
      db.insert(number);
    db.commit();
    for (auto& [number, at] : due)
      work.ended(at);
    due.clear();
  }
  work.print(from, batched ? "synchronous=FULL: each commit; one for what is due"
                           : "synchronous=FULL: each commit; one for each command");
}

}  // namespace

int main(int argc, char** argv) {
  arguments from{argc, argv};
  if (from.scenario == "command")
    command(from);
  else
    give_up("sqlite", "the scenario is command");
}
