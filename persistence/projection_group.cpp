#include <microlith/persistence/internal/hash.hpp>
#include <microlith/persistence/projection_group.hpp>

#include <algorithm>
#include <cassert>
#include <utility>

namespace microlith {

projection_group::projection_group(std::string name) : name_{std::move(name)} {}

projection_group::projection_group(projection alone) : name_{alone.name()} {
  members_.push_back(std::move(alone));
}

projection_group& projection_group::add(projection member) {
  assert((members_.empty() || inlined() == member.inlined()) &&
         "all projections of a group are inline, or none");
  for ([[maybe_unused]] const auto& added : member.tables()) {
    for ([[maybe_unused]] const auto& other : members_)
      assert(std::none_of(other.tables().begin(), other.tables().end(),
                          [&](const auto& table) { return table.name == added.name; }) &&
             "each table of a group has a name of its own");
  }
  members_.push_back(std::move(member));
  return *this;
}

std::uint64_t projection_group::fingerprint() const {
  if (members_.size() == 1 && members_.front().name() == name_)
    return members_.front().fingerprint();
  std::string text = name_ + '\n';
  for (const auto& member : members_)
    text += member.name() + ' ' + std::to_string(member.fingerprint()) + '\n';
  return internal::checksum(std::as_bytes(std::span{text}), 0);
}

}  // namespace microlith
