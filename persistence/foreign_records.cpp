#include <microlith/persistence/foreign_records.hpp>
#include <microlith/persistence/internal/record_layout.hpp>
#include <microlith/persistence/internal/type_registry.hpp>

#include <string>
#include <utility>

namespace microlith {

class foreign_records::state {
 public:
  internal::type_registry types;
  std::uint32_t known = 0;
};

foreign_records::foreign_records() : state_{std::make_unique<state>()} {}
foreign_records::~foreign_records() = default;

bool foreign_records::learn(std::vector<stored_type> types) {
  for (auto& type : types) {
    if (type.id <= state_->known)
      continue;
    if (!state_->types.load(std::move(type)))
      return false;
    ++state_->known;
  }
  return true;
}

std::vector<stored_type> foreign_records::types() const {
  return state_->types.all();
}

result<record_view, storage_error> foreign_records::read(std::uint64_t position,
                                                         std::span<const std::byte> stored) const {
  internal::parsed_record parsed;
  if (const char* problem = internal::parse_record(position, stored, parsed))
    return storage_error{storage_error_kind::damaged,
                         "record " + std::to_string(position) +
                             ", read from the journal of another node, is damaged: " + problem,
                         position};
  parsed.view.type = state_->types.find(parsed.type);
  return parsed.view;
}

}  // namespace microlith
