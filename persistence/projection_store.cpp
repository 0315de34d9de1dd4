#include <microlith/persistence/internal/derived_store.hpp>
#include <microlith/persistence/internal/event_applier.hpp>
#include <microlith/persistence/internal/lmdb.hpp>
#include <microlith/persistence/internal/projection_layout.hpp>
#include <microlith/persistence/internal/skipped_layout.hpp>
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

using internal::decode_projection_state;
using internal::encode_projection_state;
using internal::lmdb_error;
using internal::lmdb_transaction;
using internal::projection_banks;
using internal::projection_state;
using internal::projection_state_key;

namespace {

// A checkpoint that no row depends on is written this often: after a start as many are skipped
// again.
constexpr std::uint64_t events_between_bare_checkpoints = 100'000;
constexpr std::uint64_t rebuild_page_events = 50'000;
constexpr std::uint64_t max_page_bytes = std::uint64_t{64} << 20;
// A projection's share of the address space that a journal reserves.
constexpr unsigned map_share = 16;

unsigned tables_of(const projection_group& definition) {
  std::size_t tables = 1 + projection_banks;  // state, and what was skipped
  for (const auto& member : definition.members())
    tables += projection_banks * member.tables().size();
  return static_cast<unsigned>(tables);
}

internal::environment_options options_of(const projection_options& options, unsigned tables) {
  auto map =
      internal::sensible_map_size({options.map_reserve_bytes, options.map_limit_bytes}, map_share);
  return {.map_bytes = map.reserve_bytes,
          .map_limit_bytes = map.limit_bytes,
          .max_tables = tables,
          .sync = options.sync,
          .sync_meta = false};
}

}  // namespace

class projection_store::state {
 public:
  state(projection_group definition, const std::filesystem::path& directory,
        const projection_options& options)
      : definition_{std::move(definition)},
        applier_{definition_},
        directory_{directory},
        environment_{directory, options_of(options, tables_of(definition_))} {
    internal::growing(environment_, [&] { open_tables(); });
  }

  /// False where what is there is of another journal or definition.
  bool load(message_id epoch, std::uint64_t journal_end) {
    return internal::growing(environment_, [&] { return load_once(epoch, journal_end); });
  }

  result<catch_up_progress, storage_error> catch_up(const journal& source,
                                                    std::uint64_t max_events) {
    if (auto why = stopped())
      return *why;
    auto before = checkpoint();
    auto page = apply({.source = source,
                       .bank = kept_.bank,
                       .after = before,
                       .max_events = max_events,
                       .moves_checkpoint = true});
    if (!page)
      return page.error();
    if (page->stopped) {
      std::lock_guard lock{mutex_};
      stopped_ = page->stopped;
      if (page->last == before)
        return *stopped_;
    }
    return catch_up_progress{.checkpoint = checkpoint(),
                             .applied = page->applied,
                             .more = checkpoint() < source.last_position(),
                             .held_up = std::move(page->held_up),
                             .retry_after = page->retry_after};
  }

  [[nodiscard]] bool rebuild_wanted() const {
    std::error_code ignored;
    return std::filesystem::exists(directory_ / internal::rebuild_mark, ignored);
  }

  result<void, storage_error> begin_rebuild() {
    try {
      internal::growing(environment_, [&] {
        lmdb_transaction t{environment_, lmdb_transaction::access::write};
        empty(t, 1 - kept_.bank);
        t.commit();
      });
    } catch (const lmdb_error& error) {
      return write_error(error);
    }
    rebuilt_ = 0;
    return {};
  }

  result<catch_up_progress, storage_error> rebuild_some(const journal& source,
                                                        std::uint64_t max_events) {
    auto fresh = 1 - kept_.bank;
    auto page = apply({.source = source,
                       .bank = fresh,
                       .after = rebuilt_,
                       .max_events = max_events,
                       .moves_checkpoint = false});
    if (!page)
      return page.error();
    rebuilt_ = page->last;
    if (page->stopped)
      return *page->stopped;
    catch_up_progress progress{.checkpoint = rebuilt_,
                               .applied = page->applied,
                               .more = rebuilt_ < source.last_position(),
                               .held_up = std::move(page->held_up),
                               .retry_after = page->retry_after};
    // As new as the old rows is enough: the rest comes by following.
    bool new_enough = rebuilt_ >= checkpoint() && !stopped();
    if (progress.held_up || (progress.more && !new_enough))
      return progress;
    progress.more = false;
    try {
      auto state = kept_;
      state.bank = fresh;
      state.checkpoint = rebuilt_;
      auto skipped = internal::growing(environment_, [&] {
        lmdb_transaction swap{environment_, lmdb_transaction::access::write};
        empty(swap, kept_.bank);
        swap.put(state_table_, projection_state_key, encode_projection_state(state));
        auto count = entries(swap, banks_[fresh].skipped);
        swap.commit();
        return count;
      });
      kept_ = state;
      skipped_count_.store(skipped, std::memory_order_release);
    } catch (const lmdb_error& error) {
      return write_error(error);
    }
    std::error_code ignored;
    std::filesystem::remove(directory_ / internal::rebuild_mark, ignored);
    checkpoint_.store(rebuilt_, std::memory_order_release);
    std::lock_guard lock{mutex_};
    stopped_.reset();
    return progress;
  }

  void read(function_ref<void(const lmdb_transaction&, std::uint64_t bank)> f) const {
    try {
      lmdb_transaction t{environment_, lmdb_transaction::access::read};
      auto stored = t.find(state_table_, projection_state_key);
      auto state = stored ? decode_projection_state(*stored) : std::nullopt;
      if (!state)
        throw storage_exception{
            {storage_error_kind::damaged,
             "the projection in " + directory_.string() + " has no state: delete it"}};
      f(t, state->bank);
    } catch (const lmdb_error& error) {
      throw storage_exception{
          {storage_error_kind::io,
           "cannot read the projection in " + directory_.string() + ": " + error.what()}};
    }
  }

  void read_rows(function_ref<void(const read_transaction&)> f) const {
    read([&](const lmdb_transaction& t, std::uint64_t bank) {
      f(read_transaction{t.get(), banks_[bank].all});
    });
  }

  [[nodiscard]] std::vector<skipped_event> skipped(std::uint64_t after, std::size_t limit) const {
    std::vector<skipped_event> found;
    read([&](const lmdb_transaction& t, std::uint64_t bank) {
      internal::lmdb_cursor cursor{t, banks_[bank].skipped};
      auto from = internal::encode_skipped_key(after + 1, 0);
      for (bool more = cursor.seek(from); more && found.size() < limit;
           more = cursor.move(MDB_NEXT)) {
        auto event = internal::decode_skipped(cursor.key(), cursor.value());
        if (!event)
          throw storage_exception{{storage_error_kind::damaged,
                                   "a record of a skipped event in " + directory_.string() +
                                       " is damaged: rebuild the projection"}};
        found.push_back(std::move(*event));
      }
    });
    return found;
  }

  [[nodiscard]] const projection_group& definition() const { return definition_; }
  [[nodiscard]] std::uint64_t checkpoint() const {
    return checkpoint_.load(std::memory_order_acquire);
  }
  [[nodiscard]] std::uint64_t skipped_count() const {
    return skipped_count_.load(std::memory_order_acquire);
  }
  [[nodiscard]] std::optional<storage_error> stopped() const {
    std::lock_guard lock{mutex_};
    return stopped_;
  }

 private:
  struct bank {
    internal::table_bank all;                     // what readers see
    std::vector<internal::table_bank> of_member;  // what each projection may write
    MDB_dbi skipped = 0;
  };

  struct page_request {
    const journal& source;
    std::uint64_t bank;
    std::uint64_t after;
    std::uint64_t max_events;
    bool moves_checkpoint;
    /// Each event in a transaction of its own within the page's: one that fails leaves no trace.
    bool careful = false;
  };

  struct page_result {
    std::uint64_t last = 0;  ///< position up to which it got
    std::uint64_t applied = 0;
    std::uint64_t skipped = 0;
    bool failed = false;  ///< an event was not applied, and nothing of the page is kept
    std::optional<storage_error> stopped;  ///< why it ends before the next event
    std::optional<storage_error> held_up;  ///< the same, to be tried again
    std::chrono::milliseconds retry_after{0};
    std::optional<lmdb_error> machine;  ///< it cannot be written
  };

  // These may be called again where the map was too small.
  bool load_once(message_id epoch, std::uint64_t journal_end) {
    lmdb_transaction t{environment_, lmdb_transaction::access::write};
    auto stored = t.find(state_table_, projection_state_key);
    kept_ = {.epoch = epoch, .fingerprint = definition_.fingerprint()};
    if (!stored) {
      t.put(state_table_, projection_state_key, encode_projection_state(kept_));
    } else {
      auto state = decode_projection_state(*stored);
      if (!state || state->epoch != epoch || state->fingerprint != kept_.fingerprint ||
          state->checkpoint > journal_end)
        return false;
      kept_ = *state;
      empty(t, 1 - kept_.bank);  // what a rebuild had filled when the process ended
    }
    skipped_count_.store(entries(t, banks_[kept_.bank].skipped), std::memory_order_release);
    t.commit();
    checkpoint_.store(kept_.checkpoint, std::memory_order_release);
    return true;
  }

  void open_tables() {
    lmdb_transaction t{environment_, lmdb_transaction::access::write};
    banks_ = {};
    state_table_ = t.open_table(internal::projection_table_name, MDB_CREATE);
    for (std::size_t number = 0; number < projection_banks; ++number) {
      auto& bank = banks_[number];
      const std::string letter = number == 0 ? "a" : "b";
      bank.skipped = t.open_table(("skipped." + letter).c_str(), MDB_CREATE);
      for (const auto& member : definition_.members()) {
        auto& own = bank.of_member.emplace_back();
        for (const auto& table : member.tables()) {
          auto handle = t.open_table((letter + '.' + table.name).c_str(), MDB_CREATE);
          own.add(table.name, handle);
          bank.all.add(table.name, handle);
        }
      }
    }
    t.commit();
  }

  /// Applies what follows `after` in one transaction. Only where an event of it fails, each one is
  /// taken care of by itself, which costs.
  result<page_result, storage_error> apply(page_request request) {
    try {
      for (;;) {
        auto page = internal::growing(environment_, [&] { return apply_page(request); });
        if (!page || !page->failed)
          return page;
        request.careful = true;
      }
    } catch (const lmdb_error& error) {
      return write_error(error);
    }
  }

  result<page_result, storage_error> apply_page(const page_request& request) {
    page_result page;
    page.last = request.after;
    std::optional<lmdb_transaction> t;
    auto read = request.source.read(
        request.after + 1, {.events = request.max_events, .bytes = max_page_bytes},
        [&](const record_view& record) {
          auto targets = applier_.targets_of(*record.type);
          bool goes_on = targets.empty() || apply_event(request, record, targets, t, page);
          if (goes_on)
            page.last = record.position;
          return goes_on;
        });
    if (page.machine)
      throw lmdb_error{*page.machine};
    if (page.failed)
      return page;
    if (!read)
      return read.error();
    auto state = kept_;
    state.checkpoint = page.last;
    bool worth_writing = t || (request.moves_checkpoint &&
                               page.last >= kept_.checkpoint + events_between_bare_checkpoints);
    if (worth_writing) {
      if (!t)
        t.emplace(environment_, lmdb_transaction::access::write);
      if (request.moves_checkpoint)
        t->put(state_table_, projection_state_key, encode_projection_state(state));
      t->commit();
    }
    if (request.moves_checkpoint) {
      if (worth_writing)
        kept_ = state;
      checkpoint_.store(page.last, std::memory_order_release);
      skipped_count_.fetch_add(page.skipped, std::memory_order_acq_rel);
    }
    return page;
  }

  /// Whether to go on. Throws nothing: it runs inside the journal's read.
  bool apply_event(const page_request& request, const record_view& record,
                   std::span<const internal::event_applier::target> targets,
                   std::optional<lmdb_transaction>& t, page_result& page) {
    try {
      if (!t)
        t.emplace(environment_, lmdb_transaction::access::write);
      auto& to = banks_[request.bank];
      if (!request.careful) {
        ++page.applied;
        for (const auto& target : targets) {
          write_transaction rows{t->get(), to.of_member[target.member]};
          if (auto problem = internal::event_applier::apply(target, record, rows)) {
            page.failed = !machine_failed(*problem, page);
            return false;
          }
        }
        return true;
      }
      lmdb_transaction whole{t->get()};
      std::uint64_t skipped = 0;
      for (const auto& target : targets) {
        lmdb_transaction part{whole.get()};
        write_transaction rows{part.get(), to.of_member[target.member]};
        auto problem = internal::event_applier::apply(target, record, rows);
        if (!problem) {
          part.commit();
          continue;
        }
        part.abort();
        if (machine_failed(*problem, page))
          return false;
        const auto& member = definition_.members()[target.member];
        if (waits_for_retry(member, request.bank, record, *problem, page))
          return false;
        if (!member.skips()) {
          page.stopped = problem_of(member, record, problem->why, "stopped before event ",
                                    ". Mend the projection, raise its version and start again");
          return false;
        }
        whole.put(to.skipped,
                  internal::encode_skipped_key(record.position,
                                               static_cast<std::uint16_t>(target.member)),
                  internal::encode_skipped({.position = record.position,
                                            .projection = member.name(),
                                            .type = record.type->name,
                                            .id = record.id,
                                            .why = problem->why}));
        ++skipped;
      }
      whole.commit();
      ++page.applied;
      page.skipped += skipped;
      return true;
    } catch (const lmdb_error& error) {
      page.machine = error;
      return false;
    }
  }

  static bool machine_failed(const internal::apply_problem& problem, page_result& page) {
    if (problem.machine_code != 0)
      page.machine.emplace(problem.machine_code, "write a row");
    return problem.machine_code != 0;
  }

  bool waits_for_retry(const projection& member, std::uint64_t bank, const record_view& record,
                       const internal::apply_problem& problem, page_result& page) {
    const auto& policy = member.retries();
    if (!policy)
      return false;
    auto& tried = tried_[bank];
    if (tried.position != record.position)
      tried = {record.position, 0};
    if (tried.times >= policy->times)
      return false;
    ++tried.times;
    page.retry_after = policy->delay_before(tried.times);
    page.held_up = problem_of(member, record, problem.why, "waits at event ",
                              ". It is tried again (" + std::to_string(tried.times) + " of " +
                                  std::to_string(policy->times) + ")");
    return true;
  }

  static storage_error problem_of(const projection& member, const record_view& record,
                                  const std::string& why, const char* what,
                                  const std::string& then) {
    return {storage_error_kind::stopped,
            "projection " + member.name() + ' ' + what + std::to_string(record.position) + " (" +
                record.type->name + "), which it cannot apply: " + why + then,
            record.position};
  }

  static std::uint64_t entries(const lmdb_transaction& t, MDB_dbi table) {
    MDB_stat stat{};
    internal::check(mdb_stat(t.get(), table, &stat), "look at a table");
    return stat.ms_entries;
  }

  void empty(lmdb_transaction& t, std::uint64_t bank) {
    auto one = [&](MDB_dbi table) {
      if (entries(t, table) != 0)
        internal::check(mdb_drop(t.get(), table, 0), "empty a table");
    };
    for (const auto& table : banks_[bank].all.all())
      one(table.table);
    one(banks_[bank].skipped);
  }

  [[nodiscard]] storage_error write_error(const lmdb_error& error) const {
    bool full = error.out_of_space();
    return {full ? storage_error_kind::full : storage_error_kind::io,
            "cannot write the projection in " + directory_.string() + ": " + error.what() +
                (full ? ". Make room; it goes on then"
                      : ". Stop the node; the folder may be deleted, and is then filled again")};
  }

  projection_group definition_;
  internal::event_applier applier_;
  std::filesystem::path directory_;
  internal::environment environment_;
  MDB_dbi state_table_ = 0;
  std::array<bank, projection_banks> banks_;
  projection_state kept_;  ///< as on disk
  std::uint64_t rebuilt_ = 0;
  struct attempts {
    std::uint64_t position = 0;
    unsigned times = 0;
  };
  std::array<attempts, projection_banks> tried_;  ///< at the event that each set of tables is at
  std::atomic<std::uint64_t> checkpoint_{0};
  std::atomic<std::uint64_t> skipped_count_{0};
  mutable std::mutex mutex_;
  std::optional<storage_error> stopped_;
};

result<std::unique_ptr<projection_store>, storage_error> projection_store::open(
    projection_group definition, projection_options options, const journal& source) {
  auto directory = options.directory / "projections" / definition.name();
  auto opened =
      internal::open_derived(directory, "the projection", [&]() -> std::unique_ptr<state> {
        auto made = std::make_unique<state>(definition, directory, options);
        return made->load(source.epoch(), source.last_position()) ? std::move(made) : nullptr;
      });
  if (!opened)
    return opened.error();
  return std::unique_ptr<projection_store>{new projection_store{std::move(*opened)}};
}

projection_store::projection_store(std::unique_ptr<state> s) : state_{std::move(s)} {}
projection_store::~projection_store() = default;

const projection_group& projection_store::definition() const {
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

std::vector<skipped_event> projection_store::skipped(std::uint64_t after, std::size_t limit) const {
  return state_->skipped(after, limit);
}

std::uint64_t projection_store::skipped_count() const {
  return state_->skipped_count();
}

result<void, storage_error> projection_store::rebuild(const journal& source) {
  if (auto begun = begin_rebuild(); !begun)
    return begun.error();
  for (bool more = true; more;) {
    auto progress = rebuild_some(source, rebuild_page_events);
    if (!progress)
      return progress.error();
    more = progress->more || progress->held_up;
  }
  return {};
}

bool projection_store::rebuild_wanted() const {
  return state_->rebuild_wanted();
}

result<void, storage_error> projection_store::begin_rebuild() {
  return state_->begin_rebuild();
}

result<catch_up_progress, storage_error> projection_store::rebuild_some(const journal& source,
                                                                        std::uint64_t max_events) {
  return state_->rebuild_some(source, max_events);
}

void projection_store::read_with(function_ref<void(const read_transaction&)> f) const {
  state_->read_rows(f);
}

}  // namespace microlith
