#pragma once

// Several projections whose rows and checkpoint move in one transaction: whoever reads the group
// sees all of them as of the same event. A value.
//
//     projection_group shop{"shop.rows"};
//     shop.add(orders).add(customers);
//
// Table names differ within a group. An apply function writes the tables of its own projection;
// a reader sees all. All of a group are inline, or none. The group stands where one of its
// projections stands, and is derived again as a whole when one of them changes.

#include <microlith/persistence/projection.hpp>

#include <cstdint>
#include <string>
#include <vector>

namespace microlith {

class projection_group {
 public:
  explicit projection_group(std::string name);
  /// A group of one, with its name.
  projection_group(projection alone);  // NOLINT: converting by design

  projection_group& add(projection member);

  [[nodiscard]] const std::string& name() const { return name_; }
  [[nodiscard]] const std::vector<projection>& members() const { return members_; }
  [[nodiscard]] bool inlined() const { return !members_.empty() && members_.front().inlined(); }
  /// Changes when that of a member does.
  [[nodiscard]] std::uint64_t fingerprint() const;

 private:
  std::string name_;
  std::vector<projection> members_;
};

}  // namespace microlith
