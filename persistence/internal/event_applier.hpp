#pragma once

// Which apply functions of a group an event goes to, and what comes of calling one. Used by every
// place that keeps rows; one thread at a time.

#include <microlith/persistence/projection_group.hpp>
#include <microlith/persistence/record.hpp>

#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace microlith::internal {

/// An event was not applied.
struct apply_problem {
  std::string why;
  /// The machine could not write, as LMDB or the system names it: it is not the event's fault.
  /// 0: it is.
  int machine_code = 0;
};

class event_applier {
 public:
  /// The group must outlive it.
  explicit event_applier(const projection_group& group) : group_{group} {}

  struct target {
    std::size_t member = 0;
    const projection::handler* handler = nullptr;
  };

  /// In the order of the members; valid until the next call.
  [[nodiscard]] std::span<const target> targets_of(const stored_type& type);

  /// Where the journal gives numbers of types out again.
  void forget_types() { types_.clear(); }

  /// Absent: it is applied. Otherwise what the function wrote must be taken back.
  [[nodiscard]] static std::optional<apply_problem> apply(const target& to,
                                                          const record_view& record,
                                                          write_transaction& rows);

 private:
  struct known_type {
    bool known = false;
    std::vector<target> targets;
  };

  const projection_group& group_;
  std::vector<known_type> types_;  // by the journal's number of the type
};

}  // namespace microlith::internal
