#include <microlith/persistence/internal/byte_order.hpp>
#include <microlith/persistence/internal/hash.hpp>
#include <microlith/persistence/internal/type_registry.hpp>

#include <utility>

namespace microlith::internal {

namespace {

std::string changed_text(const stored_type& stored, const schema& now) {
  return "the layout of " + stored.name + " version " + std::to_string(stored.version) +
         " differs from what the journal holds (" + difference(stored.schema, now) +
         "): give the new layout a new version and an upcaster from the old one";
}

}  // namespace

type_registry::type_registry()
    : by_id_{std::make_unique<std::atomic<const stored_type*>[]>(max_types)} {}

bool type_registry::load(stored_type type) {
  if (type.id != types_.size() + 1 || type.id >= max_types)
    return false;
  types_.push_back(std::make_unique<stored_type>(std::move(type)));
  publish();
  committed();
  return true;
}

void type_registry::publish() {
  auto& type = types_.back();
  by_id_[type->id].store(type.get(), std::memory_order_release);
}

std::optional<storage_error> type_registry::check(const type_catalog& catalog) const {
  for (const auto& stored : types_) {
    const auto* known = catalog.find(stored->name);
    if (known == nullptr)
      continue;
    if (stored->version > known->version)
      return storage_error{storage_error_kind::schema_changed,
                           "the journal holds " + stored->name + " version " +
                               std::to_string(stored->version) + ", this program knows it up to " +
                               std::to_string(known->version) + ": start a newer program"};
    if (stored->version == known->version && stored->fingerprint != known->schema->fingerprint)
      return storage_error{storage_error_kind::schema_changed,
                           changed_text(*stored, *known->schema)};
  }
  return std::nullopt;
}

void type_registry::adopt(const type_catalog& catalog) {
  for (auto& stored : types_) {
    const auto* known = catalog.find(stored->name);
    if (known == nullptr)
      continue;
    auto now = with_sensitive_fields(stored->schema, *known->schema);
    if (now == stored->schema)
      continue;
    stored->schema = std::move(now);
    renewed_.push_back(stored.get());
  }
}

result<std::uint32_t, std::string> type_registry::intern(const message_type& type) {
  if (&type == last_)
    return last_id_;
  auto found = known_.find(&type);
  if (found == known_.end()) {
    if (type.kind != message_kind::event)
      return std::string{type.name} + " is a " + std::string{to_string(type.kind)} +
             ": only events are journaled";
    std::uint32_t id = 0;
    for (const auto& stored : types_) {
      if (stored->name != type.name || stored->version != type.version)
        continue;
      if (stored->fingerprint != type.schema->fingerprint)
        return changed_text(*stored, *type.schema);
      id = stored->id;
    }
    if (id == 0) {
      id = static_cast<std::uint32_t>(types_.size() + 1);
      if (id >= max_types)
        return "the journal holds " + std::to_string(max_types - 1) +
               " types already: it cannot take " + std::string{type.name};
      types_.push_back(std::make_unique<stored_type>(stored_type{
          id, std::string{type.name}, type.version, type.schema->fingerprint, *type.schema}));
      publish();
    }
    found = known_.emplace(&type, id).first;
  }
  last_ = found->first;
  last_id_ = found->second;
  return last_id_;
}

std::span<const std::unique_ptr<stored_type>> type_registry::pending() const {
  return std::span{types_}.subspan(committed_);
}

void type_registry::take_back() {
  // Nobody has seen a record of a type that was not committed.
  while (types_.size() > committed_) {
    auto id = types_.back()->id;
    by_id_[id].store(nullptr, std::memory_order_release);
    std::erase_if(known_, [&](const auto& entry) { return entry.second == id; });
    types_.pop_back();
  }
  last_ = nullptr;
}

std::vector<stored_type> type_registry::all() const {
  std::vector<stored_type> out;
  auto count = committed_.load(std::memory_order_acquire);
  for (std::uint32_t id = 1; id <= count; ++id)
    out.push_back(*find(id));
  return out;
}

bytes encode_type(const stored_type& type) {
  bytes out(8);
  encode_to(out, type.schema);
  store_le(out.data(), checksum(std::span<const std::byte>{out}.subspan(8), type.id));
  return out;
}

std::optional<stored_type> decode_type(std::uint32_t id, std::span<const std::byte> in) {
  if (in.size() < 8 || load_le<std::uint64_t>(in.data()) != checksum(in.subspan(8), id))
    return std::nullopt;
  auto decoded = decode<schema>(in.subspan(8));
  if (!decoded)
    return std::nullopt;
  return stored_type{id, decoded->name, decoded->version, decoded->fingerprint,
                     std::move(*decoded)};
}

}  // namespace microlith::internal
