#pragma once

// A projection's environment: pages, rows' checksums, its checkpoint and the events that it skipped
// against its journal. Whether the rows follow from the events only the application can tell. One
// thread.

#include <microlith/messages/identity.hpp>
#include <microlith/persistence/internal/journal_lookup.hpp>
#include <microlith/persistence/verify.hpp>

#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>

namespace microlith::internal {

void check_projection(const std::filesystem::path& directory, message_id epoch,
                      journal_lookup& journal, const std::function<void(finding)>& found,
                      verify_report& report);

/// An environment that nothing more is known of than that it is one.
void check_pages(const std::filesystem::path& directory, const std::string& part,
                 const std::function<void(finding)>& found);

}  // namespace microlith::internal
