#include <microlith/persistence/internal/hash.hpp>
#include <microlith/persistence/projection.hpp>

#include <algorithm>
#include <cassert>
#include <utility>

namespace microlith {

conversation_facts event_info::facts() const {
  auto facts = facts_of(*record);
  if (!facts)
    throw storage_exception{{storage_error_kind::damaged, to_string(facts.error()), position}};
  return std::move(*facts);
}

projection::projection(std::string name, std::uint16_t version)
    : name_{std::move(name)}, version_{version} {}

void projection::add_table(std::string_view name, std::string key, std::uint64_t row_fingerprint) {
  assert(std::none_of(tables_.begin(), tables_.end(),
                      [&](const auto& table) { return table.name == name; }) &&
         "a projection keeps each table once");
  tables_.push_back({std::string{name}, std::move(key), row_fingerprint});
}

void projection::add_handler(std::string_view event, apply_function apply) {
  assert(std::none_of(handlers_.begin(), handlers_.end(),
                      [&](const auto& handler) { return handler.event == event; }) &&
         "a projection applies each event type with one function");
  handlers_.push_back({event, std::move(apply)});
}

std::uint64_t projection::fingerprint() const {
  std::string text = name_ + '\n' + std::to_string(version_) + '\n';
  for (const auto& table : tables_)
    text += "table " + table.name + ' ' + table.key + ' ' + std::to_string(table.row_fingerprint) +
            '\n';
  for (const auto& handler : handlers_)
    text += "event " + std::string{handler.event} + '\n';
  return internal::checksum(std::as_bytes(std::span{text}), 0);
}

}  // namespace microlith
