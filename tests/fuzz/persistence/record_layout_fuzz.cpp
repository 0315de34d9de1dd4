// What the journal reads from its pages: records, types, its description and state. The first byte
// chooses. Checksums are put right, or nothing would get past them.

#include "fuzz/fuzz.hpp"

#include <microlith/messages/catalog.hpp>
#include <microlith/persistence/internal/byte_order.hpp>
#include <microlith/persistence/internal/hash.hpp>
#include <microlith/persistence/internal/journal_layout.hpp>
#include <microlith/persistence/internal/record_layout.hpp>
#include <microlith/persistence/internal/type_registry.hpp>

#include <algorithm>
#include <vector>

using namespace microlith;

namespace {

struct made_event {
  using message = microlith::event<"fuzz.made_event">;
  std::string name;
  std::uint32_t size = 0;
};
BOOST_DESCRIBE_STRUCT(made_event, (), (name, size))

constexpr std::uint64_t position = 17;

const type_catalog& catalog() {
  static const auto one = [] {
    type_catalog c;
    test::must(c.add<made_event>().has_value(), "the catalog takes a type");
    return c;
  }();
  return one;
}

void put_right(std::vector<std::byte>& stored, std::uint64_t seed) {
  if (stored.size() >= 8)
    internal::store_le(stored.data(),
                       internal::checksum(std::span<const std::byte>{stored}.subspan(8), seed));
}

bool lies_in(std::span<const std::byte> part, std::span<const std::byte> whole) {
  return part.empty() ||
         (part.data() >= whole.data() && part.data() + part.size() <= whole.data() + whole.size());
}

void read_record(std::span<const std::byte> stored) {
  internal::parsed_record record;
  if (internal::parse_record(position, stored, record) != nullptr)
    return;
  auto& view = record.view;
  test::must(view.position == position, "a record has the position that it was asked for");
  test::must(lies_in(view.body, stored) && lies_in(view.facts, stored) &&
                 lies_in(std::as_bytes(std::span{view.stream}), stored),
             "the parts of a record lie in it");
  static const stored_type type{.id = 1,
                                .name = std::string{wire_name<made_event>},
                                .version = 1,
                                .fingerprint = schema_of<made_event>().fingerprint,
                                .schema = schema_of<made_event>()};
  view.type = &type;
  auto event = to_envelope(view, catalog());
  test::planted_bug(!event && !view.stream.empty() && !facts_of(view));
  if (!event)
    return;
  test::must(event->encoded().size() == view.body.size(), "a body is encoded as it was");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0)
    return 0;
  auto in = std::as_bytes(std::span{data + 1, size - 1});
  std::vector<std::byte> stored{in.begin(), in.end()};
  switch (data[0] % 4) {
    case 0:
      put_right(stored, position);
      read_record(stored);
      break;
    case 1:
      put_right(stored, 1);
      if (auto type = internal::decode_type(1, stored))
        test::must(std::ranges::equal(internal::encode_type(*type), stored),
                   "a type is stored as it was");
      break;
    case 2:
      put_right(stored, 0);
      (void)internal::decode_meta(stored);
      break;
    default:
      put_right(stored, 0);
      if (auto state = internal::decode_journal_state(stored))
        test::must(std::ranges::equal(internal::encode_journal_state(*state), stored),
                   "a state is stored as it was");
      break;
  }
  return 0;
}
