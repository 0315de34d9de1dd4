#include <microlith/persistence/internal/derived_store.hpp>
#include <microlith/persistence/internal/lmdb.hpp>
#include <microlith/persistence/internal/page_applier.hpp>
#include <microlith/persistence/internal/projection_tables.hpp>
#include <microlith/persistence/projection_store.hpp>
#include <microlith/persistence/stored_name.hpp>

#include <atomic>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

namespace microlith {

using internal::lmdb_error;
using internal::lmdb_transaction;
using internal::page_applier;
using internal::projection_state;
using internal::projection_tables;

namespace {

constexpr std::uint64_t rebuild_page_events = 50'000;
constexpr const char* filled_at_the_next_start =
    ". Stop the node and start it again: the projection is then filled again";

internal::environment_options options_of(const projection_options& options, unsigned tables) {
  auto map = internal::sensible_map_size({options.map_reserve_bytes, options.map_limit_bytes},
                                         internal::derived_map_share);
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
        directory_{directory},
        bare_interval_{options.events_between_bare_checkpoints},
        environment_{directory, options_of(options, projection_tables::count(definition_))} {
    internal::growing(environment_, [&] {
      lmdb_transaction t{environment_, lmdb_transaction::access::write};
      tables_.open(t, definition_);
      t.commit();
    });
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
    auto page = apply(
        {.source = source, .bank = kept_.bank, .after = before, .max_events = max_events}, true);
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
        tables_.empty(t, 1 - kept_.bank);
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
    auto page = apply(
        {.source = source, .bank = fresh, .after = rebuilt_, .max_events = max_events}, false);
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
        tables_.empty(swap, kept_.bank);
        tables_.save(swap, state);
        auto count = tables_.skipped_count(swap, fresh);
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
      auto state = tables_.state(t);
      if (!state)
        throw storage_exception{
            {storage_error_kind::damaged,
             "the projection in " + directory_.string() + " has no state: delete it"}};
      f(t, state->bank);
    } catch (const internal::row_failure& error) {
      throw storage_exception{read_error(error.error().kind, error.what())};
    } catch (const lmdb_error& error) {
      throw storage_exception{read_error(
          error.damaged() ? storage_error_kind::damaged : storage_error_kind::io, error.what())};
    }
  }

  void read_rows(function_ref<void(const read_transaction&)> f) const {
    read([&](const lmdb_transaction& t, std::uint64_t bank) {
      f(read_transaction{t.get(), tables_.bank(bank).all});
    });
  }

  [[nodiscard]] std::vector<skipped_event> skipped(std::uint64_t after, std::size_t limit) const {
    std::vector<skipped_event> found;
    read([&](const lmdb_transaction& t, std::uint64_t bank) {
      found = tables_.skipped(t, bank, after, limit);
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
  // May be called again where the map was too small.
  bool load_once(message_id epoch, std::uint64_t journal_end) {
    lmdb_transaction t{environment_, lmdb_transaction::access::write};
    kept_ = {.epoch = epoch, .fingerprint = definition_.fingerprint()};
    if (!tables_.has_state(t)) {
      tables_.save(t, kept_);
    } else {
      auto state = tables_.state(t);
      if (!state || state->epoch != epoch || state->fingerprint != kept_.fingerprint ||
          state->checkpoint > journal_end)
        return false;
      kept_ = *state;
      tables_.empty(t, 1 - kept_.bank);  // what a rebuild had filled when the process ended
    }
    skipped_count_.store(tables_.skipped_count(t, kept_.bank), std::memory_order_release);
    t.commit();
    checkpoint_.store(kept_.checkpoint, std::memory_order_release);
    return true;
  }

  /// Applies what follows `after` in one transaction. Only where an event of it fails, each one is
  /// taken care of by itself, which costs.
  result<page_applier::page, storage_error> apply(page_applier::request request,
                                                  bool moves_checkpoint) {
    try {
      for (;;) {
        auto page =
            internal::growing(environment_, [&] { return apply_once(request, moves_checkpoint); });
        if (!page || !page->failed)
          return page;
        request.careful = true;
      }
    } catch (const lmdb_error& error) {
      return write_error(error);
    }
  }

  result<page_applier::page, storage_error> apply_once(const page_applier::request& request,
                                                       bool moves_checkpoint) {
    std::optional<lmdb_transaction> t;
    auto page = applier_.apply(request, t);
    if (!page || page->failed)
      return page;
    auto state = kept_;
    state.checkpoint = page->last;
    bool worth_writing = t || (moves_checkpoint && page->last >= kept_.checkpoint + bare_interval_);
    if (worth_writing) {
      if (!t)
        t.emplace(environment_, lmdb_transaction::access::write);
      if (moves_checkpoint)
        tables_.save(*t, state);
      t->commit();
    }
    if (moves_checkpoint) {
      if (worth_writing)
        kept_ = state;
      checkpoint_.store(page->last, std::memory_order_release);
      skipped_count_.fetch_add(page->skipped, std::memory_order_acq_rel);
    }
    return page;
  }

  [[nodiscard]] storage_error write_error(const lmdb_error& error) const {
    bool full = error.out_of_space();
    return {full              ? storage_error_kind::full
            : error.damaged() ? storage_error_kind::damaged
                              : storage_error_kind::io,
            "cannot write the projection in " + directory_.string() + ": " + error.what() +
                (full              ? ". Make room; it goes on then"
                 : error.damaged() ? filled_at_the_next_start
                                   : ". Stop the node; the folder may be deleted, and is then "
                                     "filled again")};
  }

  [[nodiscard]] storage_error read_error(storage_error_kind kind, const std::string& why) const {
    return {kind, "cannot read the projection in " + directory_.string() + ": " + why +
                      (kind == storage_error_kind::damaged ? filled_at_the_next_start : "")};
  }

  projection_group definition_;
  std::filesystem::path directory_;
  std::uint64_t bare_interval_;  ///< events between checkpoints that no row depends on
  internal::environment environment_;
  projection_tables tables_;
  page_applier applier_{definition_, environment_, tables_};
  projection_state kept_;  ///< as on disk
  std::uint64_t rebuilt_ = 0;
  std::atomic<std::uint64_t> checkpoint_{0};
  std::atomic<std::uint64_t> skipped_count_{0};
  mutable std::mutex mutex_;
  std::optional<storage_error> stopped_;
};

result<std::unique_ptr<projection_store>, storage_error> projection_store::open(
    projection_group definition, projection_options options, const journal& source) {
  if (!is_stored_name(definition.name()))
    return storage_error{storage_error_kind::unusable,
                         bad_stored_name("a projection", definition.name())};
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
