#pragma once

// A durable subscription's environment: pages, what it holds back, and its checkpoint and positions
// against the journal. One thread.

#include <microlith/messages/identity.hpp>
#include <microlith/persistence/internal/journal_lookup.hpp>
#include <microlith/persistence/verify.hpp>

#include <filesystem>
#include <functional>

namespace microlith::internal {

void check_subscription(const std::filesystem::path& directory, message_id epoch,
                        journal_lookup& journal, const std::function<void(finding)>& found,
                        verify_report& report);

}  // namespace microlith::internal
