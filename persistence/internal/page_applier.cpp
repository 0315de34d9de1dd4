#include <microlith/persistence/internal/page_applier.hpp>
#include <microlith/persistence/internal/skipped_layout.hpp>

namespace microlith::internal {

namespace {

constexpr std::uint64_t max_page_bytes = std::uint64_t{64} << 20;

storage_error problem_of(const projection& member, const record_view& record,
                         const std::string& why, const char* what, const std::string& then) {
  return {storage_error_kind::stopped,
          "projection " + member.name() + ' ' + what + std::to_string(record.position) + " (" +
              record.type->name + "), which it cannot apply: " + why + then,
          record.position};
}

}  // namespace

result<page_applier::page, storage_error> page_applier::apply(const request& wanted,
                                                              std::optional<lmdb_transaction>& t) {
  page done;
  done.last = wanted.after;
  machine_.reset();
  auto read =
      wanted.source.read(wanted.after + 1, {.events = wanted.max_events, .bytes = max_page_bytes},
                         [&](const record_view& record) {
                           auto to = applier_.targets_of(*record.type);
                           bool goes_on = to.empty() || apply_event(wanted, record, to, t, done);
                           if (goes_on)
                             done.last = record.position;
                           return goes_on;
                         });
  if (machine_)
    throw lmdb_error{*machine_};
  if (!read && !done.failed)
    return read.error();
  return done;
}

/// Whether to go on. Throws nothing: it runs inside the journal's read.
bool page_applier::apply_event(const request& wanted, const record_view& record, targets to,
                               std::optional<lmdb_transaction>& t, page& done) {
  try {
    if (!t)
      t.emplace(environment_, lmdb_transaction::access::write);
    return wanted.careful ? apply_with_care(wanted, record, to, *t, done)
                          : apply_at_once(wanted, record, to, *t, done);
  } catch (const lmdb_error& error) {
    machine_ = error;
    return false;
  }
}

bool page_applier::apply_at_once(const request& wanted, const record_view& record, targets to,
                                 lmdb_transaction& t, page& done) {
  ++done.applied;
  for (const auto& target : to) {
    write_transaction rows{t.get(), tables_.bank(wanted.bank).of_member[target.member]};
    if (auto problem = event_applier::apply(target, record, rows)) {
      done.failed = !machine_failed(*problem);
      return false;
    }
  }
  return true;
}

bool page_applier::apply_with_care(const request& wanted, const record_view& record, targets to,
                                   lmdb_transaction& t, page& done) {
  const auto& bank = tables_.bank(wanted.bank);
  lmdb_transaction whole{t.get()};
  std::uint64_t skipped = 0;
  for (const auto& target : to) {
    lmdb_transaction part{whole.get()};
    write_transaction rows{part.get(), bank.of_member[target.member]};
    auto problem = event_applier::apply(target, record, rows);
    if (!problem) {
      part.commit();
      continue;
    }
    part.abort();
    if (machine_failed(*problem))
      return false;
    const auto& member = definition_.members()[target.member];
    if (waits_for_retry(member, wanted.bank, record, *problem, done))
      return false;
    if (!member.skips()) {
      done.stopped = problem_of(member, record, problem->why, "stopped before event ",
                                ". Mend the projection, raise its version and start again");
      return false;
    }
    auto key = encode_skipped_key(record.position, static_cast<std::uint16_t>(target.member));
    whole.put(bank.skipped, key,
              encode_skipped({.position = record.position,
                              .projection = member.name(),
                              .type = record.type->name,
                              .id = record.id,
                              .why = problem->why}));
    ++skipped;
  }
  whole.commit();
  ++done.applied;
  done.skipped += skipped;
  return true;
}

bool page_applier::machine_failed(const apply_problem& problem) {
  if (problem.machine_code != 0)
    machine_.emplace(problem.machine_code, "write a row");
  return problem.machine_code != 0;
}

bool page_applier::waits_for_retry(const projection& member, std::uint64_t bank,
                                   const record_view& record, const apply_problem& problem,
                                   page& done) {
  const auto& policy = member.retries();
  if (!policy)
    return false;
  auto& tried = tried_[bank];
  if (tried.position != record.position)
    tried = {record.position, 0};
  if (tried.times >= policy->times)
    return false;
  ++tried.times;
  done.retry_after = policy->delay_before(tried.times);
  done.held_up = problem_of(member, record, problem.why, "waits at event ",
                            ". It is tried again (" + std::to_string(tried.times) + " of " +
                                std::to_string(policy->times) + ")");
  return true;
}

}  // namespace microlith::internal
