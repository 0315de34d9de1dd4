#include <microlith/persistence/internal/event_applier.hpp>
#include <microlith/persistence/internal/lmdb.hpp>

#include <cerrno>
#include <exception>

namespace microlith::internal {

std::span<const event_applier::target> event_applier::targets_of(const stored_type& type) {
  // By number: a comparison of names for each event would cost more than many of them do.
  if (type.id >= types_.size())
    types_.resize(type.id + 1);
  auto& at = types_[type.id];
  if (!at.known) {
    at.known = true;
    for (std::size_t member = 0; member < group_.members().size(); ++member) {
      for (const auto& handler : group_.members()[member].handlers()) {
        if (handler.event == type.name)
          at.targets.push_back({member, &handler});
      }
    }
  }
  return at.targets;
}

std::optional<apply_problem> event_applier::apply(const target& to, const record_view& record,
                                                  write_transaction& rows) {
  if (record.key != 0)
    return apply_problem{"the event is encrypted, and this program has no keys"};
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
    if (auto problem = to.handler->apply(record, info, rows))
      return apply_problem{to_string(*problem)};
    return std::nullopt;
  } catch (const row_failure& error) {
    return apply_problem{error.what(), error.code()};
  } catch (const storage_exception& error) {
    auto kind = error.error().kind;
    return apply_problem{error.what(), kind == storage_error_kind::full ? ENOSPC
                                       : kind == storage_error_kind::io ? EIO
                                                                        : 0};
  } catch (const std::exception& error) {
    return apply_problem{error.what()};
  } catch (...) {
    return apply_problem{"its function threw something that is no std::exception"};
  }
}

}  // namespace microlith::internal
