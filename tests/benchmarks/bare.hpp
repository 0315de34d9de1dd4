#pragma once

// The bar: CAF and LMDB with nothing in between, in the shape of
//   client --envelope--> command bus --> handler --> event bus (group commit) --> client

#include <caf/all.hpp>
#include <lmdb.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace bare {

using steady = std::chrono::steady_clock;

struct registration {
  std::string email;
  std::string password_hash;
  int role = 0;
};

struct ids {
  std::uint64_t message[2]{};
  std::uint64_t correlation[2]{};
  std::uint64_t causation[2]{};
  std::int64_t time_ns = 0;
};

struct envelope {
  ids id;
  const char* type = nullptr;
  std::shared_ptr<const registration> body;
};

}  // namespace bare

CAF_ALLOW_UNSAFE_MESSAGE_TYPE(bare::envelope)

namespace bare {

using commit_atom = caf::atom_constant<caf::atom("commit")>;

inline void check(int rc, const char* what) {
  if (rc == 0)
    return;
  std::fprintf(stderr, "%s: %s\n", what, mdb_strerror(rc));
  std::exit(1);
}

struct journal {
  MDB_env* env = nullptr;
  MDB_dbi events = 0;
  std::uint64_t position = 0;

  explicit journal(const std::filesystem::path& directory) {
    std::filesystem::remove_all(directory);
    std::filesystem::create_directories(directory);
    check(mdb_env_create(&env), "create");
    check(mdb_env_set_mapsize(env, std::size_t{16} << 30), "mapsize");
    check(mdb_env_set_maxdbs(env, 4), "maxdbs");
    check(mdb_env_open(env, directory.c_str(), MDB_NOTLS, 0644), "open");
    MDB_txn* txn = nullptr;
    check(mdb_txn_begin(env, nullptr, 0, &txn), "begin");
    check(mdb_dbi_open(txn, "events", MDB_CREATE | MDB_INTEGERKEY, &events), "table");
    check(mdb_txn_commit(txn), "commit");
  }
  ~journal() { mdb_env_close(env); }

  /// One record, one synced commit: what nothing durable can be faster than.
  void commit_one(std::string_view record) {
    MDB_txn* txn = nullptr;
    check(mdb_txn_begin(env, nullptr, 0, &txn), "begin");
    ++position;
    MDB_val key{sizeof position, &position};
    MDB_val value{record.size(), const_cast<char*>(record.data())};
    check(mdb_put(txn, events, &key, &value, MDB_APPEND), "put");
    check(mdb_txn_commit(txn), "commit");
  }
};

inline void encode(std::string& out, const envelope& e) {
  auto text = [&out](const std::string& s) {
    auto size = static_cast<std::uint64_t>(s.size());
    out.append(reinterpret_cast<const char*>(&size), sizeof size);
    out += s;
  };
  out.clear();
  out.append(reinterpret_cast<const char*>(&e.id), sizeof e.id);
  out += e.type;
  text(e.body->email);
  text(e.body->password_hash);
  out.append(reinterpret_cast<const char*>(&e.body->role), sizeof e.body->role);
}

struct event_bus_state {
  std::vector<envelope> batch;
  bool armed = false;
  caf::actor client;
  std::string buffer;
};

inline caf::behavior event_bus(caf::stateful_actor<event_bus_state>* self, journal* store) {
  return {
      [=](caf::actor client) { self->state.client = client; },
      [=](envelope& e) {
        auto& state = self->state;
        state.batch.push_back(std::move(e));
        if (!state.armed) {
          state.armed = true;
          self->send(self, commit_atom::value);
        }
      },
      [=](commit_atom) {
        auto& state = self->state;
        MDB_txn* txn = nullptr;
        check(mdb_txn_begin(store->env, nullptr, 0, &txn), "begin");
        for (auto& e : state.batch) {
          encode(state.buffer, e);
          auto position = ++store->position;
          MDB_val key{sizeof position, &position};
          MDB_val value{state.buffer.size(), state.buffer.data()};
          check(mdb_put(txn, store->events, &key, &value, MDB_APPEND), "put");
        }
        check(mdb_txn_commit(txn), "commit");
        for (auto& e : state.batch)
          self->send(state.client, std::move(e));
        state.batch.clear();
        state.armed = false;
      },
  };
}

inline caf::behavior handler(caf::event_based_actor* self, caf::actor events) {
  return {
      [=](envelope& command) {
        envelope event{command.id, "auth.user_registered_event",
                       std::make_shared<registration>(*command.body)};
        event.id.causation[0] = command.id.message[0];
        self->send(events, std::move(event));
      },
  };
}

inline caf::behavior command_bus(caf::event_based_actor* self, caf::actor target) {
  auto routes = std::make_shared<std::unordered_map<std::string_view, caf::actor>>();
  routes->emplace("auth.register_command", target);
  return {[=](envelope& e) { self->send((*routes)[e.type], std::move(e)); }};
}

struct client_state {
  std::unordered_map<std::uint64_t, steady::time_point> waiting;
  std::uint64_t sent = 0;
  std::uint64_t done = 0;
};

/// Keeps `in_flight` commands on their way until `total` are done; latencies in microseconds.
inline caf::behavior client(caf::stateful_actor<client_state>* self, caf::actor commands,
                            std::uint64_t total, std::uint64_t in_flight,
                            std::vector<double>* latency_us, caf::actor finished) {
  auto fire = [=] {
    auto& state = self->state;
    auto n = ++state.sent;
    envelope e;
    e.id.correlation[0] = n;
    e.type = "auth.register_command";
    e.body = std::make_shared<registration>(
        registration{"user" + std::to_string(n) + "@example.org",
                     "$argon2id$v=19$m=65536,t=2,p=1$abcdefghijklmnop$abcdefghijklmnop", 1});
    state.waiting.emplace(n, steady::now());
    self->send(commands, std::move(e));
  };
  return {
      [=](caf::ok_atom) {
        for (std::uint64_t i = 0; i < std::min(in_flight, total); ++i)
          fire();
      },
      [=](const envelope& event) {
        auto& state = self->state;
        auto entry = state.waiting.find(event.id.correlation[0]);
        std::chrono::duration<double, std::micro> took = steady::now() - entry->second;
        latency_us->push_back(took.count());
        state.waiting.erase(entry);
        if (++state.done == total)
          caf::anon_send(finished, caf::ok_atom::value);
        else if (state.sent < total)
          fire();
      },
  };
}

}  // namespace bare
