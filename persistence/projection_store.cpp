#include <microlith/persistence/internal/data_file.hpp>
#include <microlith/persistence/internal/lmdb.hpp>
#include <microlith/persistence/internal/projection_layout.hpp>
#include <microlith/persistence/internal/table_bank.hpp>
#include <microlith/persistence/projection_store.hpp>

#include <algorithm>
#include <array>
#include <atomic>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

namespace microlith {

using internal::lmdb_error;
using internal::lmdb_transaction;

namespace {

constexpr auto state_key = internal::projection_state_key;
constexpr auto banks = internal::projection_banks;
// A checkpoint that no row depends on is written this often: after a start as many are skipped
// again.
constexpr std::uint64_t events_between_bare_checkpoints = 100'000;
constexpr std::uint64_t rebuild_page_events = 50'000;
// A projection's share of the address space that a journal reserves.
constexpr unsigned map_share = 16;

using store_state = internal::projection_state;

}  // namespace

class projection_store::state {
 public:
  state(projection definition, const std::filesystem::path& directory,
        const projection_options& options)
      : definition_{std::move(definition)},
        directory_{directory},
        environment_{
            directory,
            {.map_bytes = options.map_limit_bytes != 0 ? options.map_limit_bytes
                                                       : internal::default_map_bytes(map_share),
             .max_tables = static_cast<unsigned>(banks * definition_.tables().size() + 1),
             .sync = options.sync,
             .sync_meta = false}} {
    lmdb_transaction t{environment_, lmdb_transaction::access::write};
    state_table_ = t.open_table(internal::projection_table_name, MDB_CREATE);
    for (std::size_t bank = 0; bank < banks; ++bank) {
      for (const auto& table : definition_.tables()) {
        auto name = std::string{bank == 0 ? "a." : "b."} + table.name;
        banks_[bank].add(table.name, t.open_table(name.c_str(), MDB_CREATE));
      }
    }
    t.commit();
  }

  /// False where what is there is of another journal or definition.
  bool load(message_id epoch, std::uint64_t journal_end) {
    lmdb_transaction t{environment_, lmdb_transaction::access::write};
    auto stored = t.find(state_table_, state_key);
    kept_ = {.epoch = epoch, .fingerprint = definition_.fingerprint()};
    if (!stored) {
      t.put(state_table_, state_key, internal::encode_projection_state(kept_));
    } else {
      auto state = internal::decode_projection_state(*stored);
      if (!state || state->epoch != epoch || state->fingerprint != kept_.fingerprint ||
          state->checkpoint > journal_end)
        return false;
      kept_ = *state;
      empty(t, 1 - kept_.bank);  // what a rebuild had filled when the process ended
    }
    t.commit();
    checkpoint_.store(kept_.checkpoint, std::memory_order_release);
    return true;
  }

  result<catch_up_progress, storage_error> catch_up(const journal& source,
                                                    std::uint64_t max_events) {
    if (auto why = stopped())
      return *why;
    auto page = apply_page(source, kept_bank(), checkpoint(), max_events, true);
    if (!page)
      return page.error();
    if (page->failed) {
      // What came before the event is applied without it.
      auto before = page->failed->position - 1 - checkpoint();
      if (before > 0) {
        page = apply_page(source, kept_bank(), checkpoint(), before, true);
        if (!page)
          return page.error();
        return catch_up_progress{checkpoint(), page->applied, true};
      }
      std::lock_guard lock{mutex_};
      stopped_ = std::move(*page->failed);
      return *stopped_;
    }
    return catch_up_progress{checkpoint(), page->applied, checkpoint() < source.last_position()};
  }

  result<void, storage_error> rebuild(const journal& source) {
    auto fresh = 1 - kept_.bank;
    std::uint64_t done = 0;
    try {
      lmdb_transaction t{environment_, lmdb_transaction::access::write};
      empty(t, fresh);
      t.commit();
      while (done < source.last_position()) {
        auto page = apply_page(source, fresh, done, rebuild_page_events, false);
        if (!page)
          return page.error();
        if (page->failed)
          return *page->failed;
        done = page->last;
      }
      lmdb_transaction swap{environment_, lmdb_transaction::access::write};
      auto state = kept_;
      state.bank = fresh;
      state.checkpoint = done;
      empty(swap, kept_.bank);
      swap.put(state_table_, state_key, internal::encode_projection_state(state));
      swap.commit();
      kept_ = state;
    } catch (const lmdb_error& error) {
      return write_error(error);
    }
    checkpoint_.store(done, std::memory_order_release);
    std::lock_guard lock{mutex_};
    stopped_.reset();
    return {};
  }

  void read(function_ref<void(const read_transaction&)> f) const {
    try {
      lmdb_transaction t{environment_, lmdb_transaction::access::read};
      auto stored = t.find(state_table_, state_key);
      auto state = stored ? internal::decode_projection_state(*stored) : std::nullopt;
      if (!state)
        throw storage_exception{
            {storage_error_kind::damaged,
             "the projection in " + directory_.string() + " has no state: delete it"}};
      f(read_transaction{t.get(), banks_[state->bank]});
    } catch (const lmdb_error& error) {
      throw storage_exception{
          {storage_error_kind::io,
           "cannot read the projection in " + directory_.string() + ": " + error.what()}};
    }
  }

  [[nodiscard]] const projection& definition() const { return definition_; }
  [[nodiscard]] std::uint64_t checkpoint() const {
    return checkpoint_.load(std::memory_order_acquire);
  }
  [[nodiscard]] std::optional<storage_error> stopped() const {
    std::lock_guard lock{mutex_};
    return stopped_;
  }

 private:
  struct page_result {
    std::uint64_t last = 0;  ///< position up to which it got
    std::uint64_t applied = 0;
    std::optional<storage_error> failed;  ///< nothing of the page was kept then
  };

  [[nodiscard]] std::uint64_t kept_bank() const { return kept_.bank; }

  /// Applies what follows `after` in one transaction; moves the checkpoint with it if wanted.
  result<page_result, storage_error> apply_page(const journal& source, std::uint64_t bank,
                                                std::uint64_t after, std::uint64_t max_events,
                                                bool move_checkpoint) {
    page_result page;
    try {
      std::optional<lmdb_transaction> t;
      std::optional<write_transaction> rows;
      std::optional<storage_error> no_room;
      auto read = source.read(after + 1, {.events = max_events, .bytes = max_page_bytes},
                              [&](const record_view& record) {
                                const auto* handler = handler_of(*record.type);
                                if (handler == nullptr)
                                  return true;
                                if (!t) {
                                  t.emplace(environment_, lmdb_transaction::access::write);
                                  rows.emplace(t->get(), banks_[bank]);
                                }
                                ++page.applied;
                                return apply(*handler, record, *rows, page.failed, no_room);
                              });
      if (no_room)
        return *no_room;
      if (page.failed)
        return page;
      if (!read)
        return read.error();
      page.last = std::max(after, read->next - 1);
      if (!move_checkpoint) {
        if (t)
          t->commit();
        return page;
      }
      auto state = kept_;
      state.checkpoint = page.last;
      bool worth_writing = t || page.last >= kept_.checkpoint + events_between_bare_checkpoints;
      if (worth_writing) {
        if (!t)
          t.emplace(environment_, lmdb_transaction::access::write);
        t->put(state_table_, state_key, internal::encode_projection_state(state));
        t->commit();
        kept_ = state;
      }
      checkpoint_.store(page.last, std::memory_order_release);
      return page;
    } catch (const lmdb_error& error) {
      return write_error(error);
    }
  }

  /// Whether to go on.
  bool apply(const projection::handler& handler, const record_view& record, write_transaction& rows,
             std::optional<storage_error>& failed, std::optional<storage_error>& no_room) const {
    auto fail = [&](const std::string& why) {
      failed = storage_error{storage_error_kind::stopped,
                             "projection " + definition_.name() + " stopped before event " +
                                 std::to_string(record.position) + " (" + record.type->name +
                                 "), which it cannot apply: " + why +
                                 ". Mend the projection, raise its version and start again",
                             record.position};
      return false;
    };
    if (record.key != 0)
      return fail("the event is encrypted, and this program has no keys");
    event_info info{.position = record.position,
                    .stream = record.stream,
                    .stream_version = record.stream_version,
                    .time = record.time,
                    .id = record.id,
                    .correlation = record.correlation,
                    .causation = record.causation,
                    .root = record.root,
                    .record = &record};
    try {
      if (auto problem = handler.apply(record, info, rows))
        return fail(to_string(*problem));
      return true;
    } catch (const storage_exception& error) {
      if (error.error().kind == storage_error_kind::full ||
          error.error().kind == storage_error_kind::io) {
        no_room = error.error();
        no_room->text = "cannot write the projection in " + directory_.string() + ": " +
                        no_room->text + ". Make room; it goes on then";
        return false;
      }
      return fail(error.what());
    } catch (const std::exception& error) {
      return fail(error.what());
    } catch (...) {
      return fail("its function threw something that is no std::exception");
    }
  }

  const projection::handler* handler_of(const stored_type& type) {
    // By the journal's number of the type: a comparison of names for each event would cost more
    // than many of them do.
    if (type.id >= handlers_.size())
      handlers_.resize(type.id + 1, unknown);
    auto& known = handlers_[type.id];
    if (known == unknown) {
      const auto& all = definition_.handlers();
      auto found = std::find_if(all.begin(), all.end(),
                                [&](const auto& handler) { return handler.event == type.name; });
      known = found == all.end() ? none : static_cast<std::size_t>(found - all.begin());
    }
    return known == none ? nullptr : &definition_.handlers()[known];
  }

  void empty(lmdb_transaction& t, std::uint64_t bank) {
    for (const auto& table : banks_[bank].all()) {
      MDB_stat stat{};
      internal::check(mdb_stat(t.get(), table.table, &stat), "look at a table");
      if (stat.ms_entries != 0)
        internal::check(mdb_drop(t.get(), table.table, 0), "empty a table");
    }
  }

  [[nodiscard]] storage_error write_error(const lmdb_error& error) const {
    bool full = error.out_of_space();
    return {full ? storage_error_kind::full : storage_error_kind::io,
            "cannot write the projection in " + directory_.string() + ": " + error.what() +
                (full ? ". Make room; it goes on then"
                      : ". Stop the node; the folder may be deleted, and is then filled again")};
  }

  static constexpr std::size_t unknown = static_cast<std::size_t>(-1);
  static constexpr std::size_t none = static_cast<std::size_t>(-2);
  static constexpr std::uint64_t max_page_bytes = std::uint64_t{64} << 20;

  projection definition_;
  std::filesystem::path directory_;
  internal::environment environment_;
  MDB_dbi state_table_ = 0;
  std::array<internal::table_bank, banks> banks_;
  std::vector<std::size_t> handlers_;
  store_state kept_;  ///< as on disk
  std::atomic<std::uint64_t> checkpoint_{0};
  mutable std::mutex mutex_;
  std::optional<storage_error> stopped_;
};

result<std::unique_ptr<projection_store>, storage_error> projection_store::open(
    projection definition, projection_options options, const journal& source) {
  auto directory = options.directory / "projections" / definition.name();
  auto problem = [&](storage_error_kind kind, const std::string& why) {
    return storage_error{kind, "cannot open the projection in " + directory.string() + ": " + why};
  };
  try {
    // Everything in it can be derived again, so what does not fit is thrown away.
    for (bool again : {true, false}) {
      if (!internal::can_be_mapped(directory))
        std::filesystem::remove_all(directory);
      try {
        auto opened = std::make_unique<state>(definition, directory, options);
        if (opened->load(source.epoch(), source.last_position()))
          return std::unique_ptr<projection_store>{new projection_store{std::move(opened)}};
      } catch (const lmdb_error& error) {
        bool damaged = error.code() == MDB_INVALID || error.code() == MDB_CORRUPTED ||
                       error.code() == MDB_PAGE_NOTFOUND || error.code() == MDB_VERSION_MISMATCH ||
                       error.code() == MDB_DBS_FULL || error.code() == MDB_INCOMPATIBLE;
        if (!damaged || !again)
          return problem(
              error.out_of_space() ? storage_error_kind::full : storage_error_kind::unusable,
              error.what());
      }
      std::filesystem::remove_all(directory);
    }
  } catch (const std::exception& error) {
    return problem(storage_error_kind::unusable, error.what());
  }
  return problem(storage_error_kind::unusable, "it does not keep what is written to it");
}

projection_store::projection_store(std::unique_ptr<state> s) : state_{std::move(s)} {}
projection_store::~projection_store() = default;

const projection& projection_store::definition() const {
  return state_->definition();
}

result<catch_up_progress, storage_error> projection_store::catch_up(const journal& source,
                                                                    std::uint64_t max_events) {
  return state_->catch_up(source, max_events);
}

std::uint64_t projection_store::checkpoint() const {
  return state_->checkpoint();
}

std::optional<storage_error> projection_store::stopped() const {
  return state_->stopped();
}

result<void, storage_error> projection_store::rebuild(const journal& source) {
  return state_->rebuild(source);
}

void projection_store::read_with(function_ref<void(const read_transaction&)> f) const {
  state_->read(f);
}

}  // namespace microlith
