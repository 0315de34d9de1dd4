#include <microlith/messages/json.hpp>
#include <microlith/messages/message_type.hpp>

#include <map>
#include <mutex>
#include <set>

namespace microlith {

namespace {

// Built at its first use: types are added while other translation units are being initialized.
struct type_registry {
  std::mutex mutex;
  std::map<std::string_view, const message_type*> newest;
  std::set<const message_type*> with_stream_seen;
  std::set<const message_type*> with_no_stream_seen;
};

type_registry& all_program_types() {
  static type_registry all;
  return all;
}

}  // namespace

std::vector<const message_type*> program_types() {
  auto& all = all_program_types();
  std::lock_guard lock{all.mutex};
  std::vector<const message_type*> types;
  for (const auto& [name, type] : all.newest)
    types.push_back(type);
  return types;
}

std::vector<std::string_view> half_declared_streams() {
  auto& all = all_program_types();
  std::lock_guard lock{all.mutex};
  std::vector<std::string_view> names;
  for (const auto* type : all.with_stream_seen)
    if (all.with_no_stream_seen.contains(type))
      names.push_back(type->name);
  return names;
}

bool internal::add_program_type(const message_type& type, bool stream_is_seen) {
  auto& all = all_program_types();
  std::lock_guard lock{all.mutex};
  (stream_is_seen ? all.with_stream_seen : all.with_no_stream_seen).insert(&type);
  auto [there, added] = all.newest.emplace(type.name, &type);
  if (!added && there->second->version < type.version)
    there->second = &type;
  return true;
}

std::string message_type::print(const void* body) const {
  return internal::print_erased(body, visit);
}

boost::json::value message_type::to_json(const void* body) const {
  return internal::json_erased(body, visit);
}

}  // namespace microlith
