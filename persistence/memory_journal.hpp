#pragma once

// A journal in memory, for tests: keeps every promise of journal.hpp but durability.
//
// Records are encoded and checksummed as on disk, so what is read was really decoded. Thread-safe.

#include <microlith/persistence/journal.hpp>

#include <memory>

namespace microlith {

[[nodiscard]] std::unique_ptr<journal> make_memory_journal();

}  // namespace microlith
