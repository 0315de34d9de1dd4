#include <microlith/persistence/internal/inline_rows.hpp>
#include <microlith/persistence/internal/projection_layout.hpp>
#include <microlith/persistence/internal/skipped_layout.hpp>
#include <microlith/persistence/stored_name.hpp>

#include <algorithm>
#include <atomic>
#include <utility>

namespace microlith::internal {

namespace {

constexpr std::uint64_t page_events = 10'000;
constexpr std::uint64_t page_bytes = std::uint64_t{64} << 20;

}  // namespace

result<unsigned, std::string> inline_tables_of(const std::vector<projection_group>& definitions) {
  if (definitions.empty())
    return 0U;
  std::size_t tables = 1;
  for (const auto& definition : definitions) {
    if (!is_stored_name(definition.name()))
      return bad_stored_name("a projection", definition.name());
    ++tables;
    for (const auto& member : definition.members())
      tables += member.tables().size();
  }
  if (tables > max_inline_tables)
    return "inline projections have " + std::to_string(tables) +
           " tables in all, and there is room for " + std::to_string(max_inline_tables) +
           " beside the journal: let some of the projections follow";
  return static_cast<unsigned>(tables);
}

class inline_rows::group final : public projection_rows {
 public:
  group(projection_group definition, const environment& env, lmdb_transaction& t)
      : definition_{std::move(definition)}, applier_{definition_}, env_{env} {
    auto prefix = "inline." + definition_.name();
    skipped_table_ = t.open_table((prefix + "/skipped").c_str(), MDB_CREATE);
    for (const auto& member : definition_.members()) {
      auto& own = of_member_.emplace_back();
      for (const auto& table : member.tables()) {
        auto handle = t.open_table((prefix + '.' + table.name).c_str(), MDB_CREATE);
        own.add(table.name, handle);
        all_.add(table.name, handle);
      }
    }
  }

  [[nodiscard]] const projection_group& definition() const { return definition_; }
  [[nodiscard]] event_applier& applier() { return applier_; }
  void forget_types() { applier_.forget_types(); }

  void empty(lmdb_transaction& t) {
    for (const auto& table : all_.all())
      t.empty(table.table);
    t.empty(skipped_table_);
  }

  /// Why the event is not applied, and its projection does not skip it. What was written before
  /// that is for the caller to take back.
  std::optional<apply_problem> apply(MDB_txn* transaction, const record_view& record) {
    for (const auto& target : applier_.targets_of(*record.type)) {
      const auto& member = definition_.members()[target.member];
      if (!member.skips()) {
        // Where it fails, all that `transaction` has written is taken back.
        write_transaction rows{transaction, of_member_[target.member]};
        if (auto problem = event_applier::apply(target, record, rows))
          return refused(member, std::move(*problem));
        continue;
      }
      lmdb_transaction part{transaction};
      write_transaction rows{part.get(), of_member_[target.member]};
      auto problem = event_applier::apply(target, record, rows);
      if (!problem) {
        part.commit();
        continue;
      }
      part.abort();
      if (problem->machine_code != 0)
        return refused(member, std::move(*problem));
      auto key = encode_skipped_key(record.position, static_cast<std::uint16_t>(target.member));
      auto value = encode_skipped({.position = record.position,
                                   .projection = member.name(),
                                   .type = record.type->name,
                                   .id = record.id,
                                   .why = problem->why});
      auto k = to_val(key);
      auto v = to_val(value);
      if (auto* guard = guard_of(transaction))
        guard->before_key(transaction, skipped_table_, key);
      check(mdb_put(transaction, skipped_table_, &k, &v, 0), "write a skipped event");
    }
    return std::nullopt;
  }

  std::uint64_t checkpoint() const override { return position.load(std::memory_order_acquire); }

  std::vector<skipped_event> skipped(std::uint64_t after, std::size_t limit) const override {
    std::vector<skipped_event> found;
    reading([&](const lmdb_transaction& t) {
      lmdb_cursor cursor{t, skipped_table_};
      auto from = encode_skipped_key(after + 1, 0);
      for (bool more = cursor.seek(from); more && found.size() < limit;
           more = cursor.move(MDB_NEXT)) {
        auto event = decode_skipped(cursor.key(), cursor.value());
        if (!event)
          throw storage_exception{
              {storage_error_kind::damaged,
               "a record of a skipped event of projection " + definition_.name() + " is damaged"}};
        found.push_back(std::move(*event));
      }
    });
    return found;
  }

  std::atomic<std::uint64_t> position{0};

 private:
  static apply_problem refused(const projection& member, apply_problem problem) {
    problem.why = "projection " + member.name() + " cannot apply it: " + problem.why;
    return problem;
  }

  void read_with(function_ref<void(const read_transaction&)> f) const override {
    reading([&](const lmdb_transaction& t) { f(read_transaction{t.get(), all_}); });
  }

  template <class F>
  void reading(F f) const {
    try {
      lmdb_transaction t{env_, lmdb_transaction::access::read};
      f(t);
    } catch (const lmdb_error& error) {
      throw storage_exception{{storage_error_kind::io, "cannot read projection " +
                                                           definition_.name() +
                                                           " beside the journal: " + error.what()}};
    }
  }

  projection_group definition_;
  event_applier applier_;
  const environment& env_;
  MDB_dbi skipped_table_ = 0;
  table_bank all_;
  std::vector<table_bank> of_member_;
};

inline_rows::inline_rows(std::vector<projection_group> definitions, const environment& env)
    : env_{env} {
  if (definitions.empty())
    return;
  lmdb_transaction t{env_, lmdb_transaction::access::write};
  states_table_ = t.open_table("inline", MDB_CREATE);
  for (auto& definition : definitions)
    groups_.push_back(std::make_unique<group>(std::move(definition), env_, t));
  t.commit();
}

inline_rows::~inline_rows() = default;

std::optional<storage_error> inline_rows::catch_up(const journal& source) {
  epoch_ = source.epoch();
  for (auto& of : groups_) {
    projection_state state{.epoch = epoch_, .fingerprint = of->definition().fingerprint()};
    {
      lmdb_transaction t{env_, lmdb_transaction::access::write};
      auto stored = t.find(states_table_, std::string_view{of->definition().name()});
      auto known = stored ? decode_projection_state(*stored) : std::nullopt;
      if (known && known->fingerprint == state.fingerprint && known->epoch == epoch_ &&
          known->checkpoint <= source.last_position())
        state = *known;
      else
        of->empty(t);
      t.put(states_table_, std::string_view{of->definition().name()},
            encode_projection_state(state));
      t.commit();
    }
    while (state.checkpoint < source.last_position()) {
      lmdb_transaction t{env_, lmdb_transaction::access::write};
      std::optional<storage_error> stopped;
      std::optional<lmdb_error> machine;
      auto read = source.read(state.checkpoint + 1, {.events = page_events, .bytes = page_bytes},
                              [&](const record_view& record) {
                                try {
                                  auto problem = of->apply(t.get(), record);
                                  if (problem && problem->machine_code != 0)
                                    machine.emplace(problem->machine_code, "write a row");
                                  else if (problem)
                                    stopped = storage_error{
                                        storage_error_kind::stopped,
                                        "event " + std::to_string(record.position) + " (" +
                                            record.type->name + "): " + problem->why +
                                            ". Mend the projection, or let it skip failures",
                                        record.position};
                                } catch (const lmdb_error& error) {
                                  machine = error;
                                }
                                return !stopped && !machine;
                              });
      if (machine)
        throw lmdb_error{*machine};
      if (stopped)
        return stopped;
      if (!read)
        return read.error();
      state.checkpoint = read->next - 1;
      t.put(states_table_, std::string_view{of->definition().name()},
            encode_projection_state(state));
      t.commit();
    }
    of->position.store(state.checkpoint, std::memory_order_release);
  }
  return std::nullopt;
}

bool inline_rows::wants(const stored_type& type) {
  return std::any_of(groups_.begin(), groups_.end(),
                     [&](auto& of) { return !of->applier().targets_of(type).empty(); });
}

std::optional<std::string> inline_rows::apply(MDB_txn* transaction, const record_view& record) {
  for (auto& of : groups_) {
    if (auto problem = of->apply(transaction, record)) {
      if (problem->machine_code != 0)
        throw lmdb_error{problem->machine_code, "write a row"};
      return problem->why;
    }
  }
  return std::nullopt;
}

void inline_rows::save(lmdb_transaction& transaction, std::uint64_t position) {
  for (auto& of : groups_)
    transaction.put(states_table_, std::string_view{of->definition().name()},
                    encode_projection_state({.epoch = epoch_,
                                             .fingerprint = of->definition().fingerprint(),
                                             .checkpoint = position}));
}

void inline_rows::committed(std::uint64_t position) {
  for (auto& of : groups_)
    of->position.store(position, std::memory_order_release);
}

void inline_rows::forget_types() {
  for (auto& of : groups_)
    of->forget_types();
}

const projection_rows* inline_rows::find(std::string_view name) const {
  for (const auto& of : groups_) {
    if (of->definition().name() == name)
      return of.get();
  }
  return nullptr;
}

}  // namespace microlith::internal
