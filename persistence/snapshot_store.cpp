#include <microlith/persistence/internal/derived_store.hpp>
#include <microlith/persistence/internal/snapshot_layout.hpp>
#include <microlith/persistence/snapshot_store.hpp>

#include <utility>

namespace microlith {

using internal::lmdb_error;
using internal::lmdb_transaction;

namespace {

internal::environment_options options_of(const snapshot_options& options) {
  auto map = internal::sensible_map_size({options.map_reserve_bytes, options.map_limit_bytes},
                                         internal::derived_map_share);
  return {.map_bytes = map.reserve_bytes,
          .map_limit_bytes = map.limit_bytes,
          .max_tables = 2,
          .sync = options.sync,
          .sync_meta = false};
}

}  // namespace

class snapshot_store::state {
 public:
  state(const std::filesystem::path& directory, const snapshot_options& options)
      : directory_{directory}, environment_{directory, options_of(options)} {}

  /// False where what is there is of another journal.
  bool load(message_id epoch) {
    return internal::growing(environment_, [&] {
      lmdb_transaction t{environment_, lmdb_transaction::access::write};
      state_table_ = t.open_table("state", MDB_CREATE);
      snapshots_table_ = t.open_table("snapshots", MDB_CREATE);
      auto stored = t.find(state_table_, internal::snapshot_state_key);
      if (stored && internal::decode_snapshot_state(*stored) != epoch)
        return false;
      if (!stored)
        t.put(state_table_, internal::snapshot_state_key, internal::encode_snapshot_state(epoch));
      t.commit();
      return true;
    });
  }

  std::optional<snapshot> find(std::string_view stream, std::uint64_t fingerprint) const {
    try {
      lmdb_transaction t{environment_, lmdb_transaction::access::read};
      auto stored = t.find(snapshots_table_, internal::encode_snapshot_key(stream));
      auto kept = stored ? internal::decode_snapshot(*stored) : std::nullopt;
      if (!kept || kept->stream != stream || kept->fingerprint != fingerprint)
        return std::nullopt;
      return kept;
    } catch (const lmdb_error&) {
      return std::nullopt;  // then the journal alone tells
    }
  }

  result<void, storage_error> put(std::span<const snapshot> snapshots) {
    try {
      internal::growing(environment_, [&] {
        lmdb_transaction t{environment_, lmdb_transaction::access::write};
        for (const auto& each : snapshots) {
          if (each.state.size() <= max_snapshot_bytes)
            t.put(snapshots_table_, internal::encode_snapshot_key(each.stream),
                  internal::encode_snapshot(each));
        }
        t.commit();
      });
      return {};
    } catch (const lmdb_error& error) {
      return storage_error{
          error.out_of_space() ? storage_error_kind::full : storage_error_kind::io,
          "cannot write snapshots in " + directory_.string() + ": " + error.what() +
              ". Streams load from their first event until there is room; the folder may be "
              "deleted while the node is stopped"};
    }
  }

  std::uint64_t count() const {
    try {
      lmdb_transaction t{environment_, lmdb_transaction::access::read};
      MDB_stat stat{};
      internal::check(mdb_stat(t.get(), snapshots_table_, &stat), "look at a table");
      return stat.ms_entries;
    } catch (const lmdb_error&) {
      return 0;
    }
  }

 private:
  std::filesystem::path directory_;
  internal::environment environment_;
  MDB_dbi state_table_ = 0;
  MDB_dbi snapshots_table_ = 0;
};

result<std::unique_ptr<snapshot_store>, storage_error> snapshot_store::open(
    snapshot_options options, message_id journal_epoch) {
  auto directory = options.directory / "snapshots";
  auto opened = internal::open_derived(directory, "the snapshots", [&]() -> std::unique_ptr<state> {
    auto made = std::make_unique<state>(directory, options);
    return made->load(journal_epoch) ? std::move(made) : nullptr;
  });
  if (!opened)
    return opened.error();
  return std::unique_ptr<snapshot_store>{new snapshot_store{std::move(*opened)}};
}

snapshot_store::snapshot_store(std::unique_ptr<state> s) : state_{std::move(s)} {}
snapshot_store::~snapshot_store() = default;

std::optional<snapshot> snapshot_store::find(std::string_view stream,
                                             std::uint64_t fingerprint) const {
  return state_->find(stream, fingerprint);
}

result<void, storage_error> snapshot_store::put(std::span<const snapshot> snapshots) {
  return state_->put(snapshots);
}

std::uint64_t snapshot_store::count() const {
  return state_->count();
}

}  // namespace microlith
