#include <microlith/messages/catalog.hpp>

#include <cstdio>
#include <utility>

namespace microlith {

namespace {

std::string described_as(const message_type& type) {
  char fingerprint[17];
  std::snprintf(fingerprint, sizeof fingerprint, "%016llx",
                static_cast<unsigned long long>(type.schema->fingerprint));
  return "a " + std::string{to_string(type.kind)} + " of version " + std::to_string(type.version) +
         " with fingerprint " + fingerprint;
}

}  // namespace

result<void, catalog_error> type_catalog::add(const message_type& type) {
  auto [there, added] = types_.emplace(type.name, &type);
  if (added || there->second == &type)
    return {};
  const auto& other = *there->second;
  std::string text = "cannot add " + std::string{type.name} + ", " + described_as(type) +
                     ": another C++ type has this wire name already, " + described_as(other);
  if (auto changes = difference(*other.schema, *type.schema); !changes.empty())
    text += " (" + changes + ')';
  text += "; give one of them another name, or add the newest version only";
  return catalog_error{std::string{type.name}, std::move(text)};
}

const message_type* type_catalog::find(std::string_view name) const {
  auto found = types_.find(name);
  return found == types_.end() ? nullptr : found->second;
}

}  // namespace microlith
