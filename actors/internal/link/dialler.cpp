#include <microlith/actors/internal/link/dialler.hpp>

#include <unistd.h>

#include <algorithm>
#include <utility>

namespace microlith::internal {

namespace {

using namespace std::chrono_literals;

/// What has come at once is seen at once, and a silent host costs little.
constexpr std::chrono::milliseconds first_look = 1ms;
constexpr std::chrono::milliseconds last_look = 20ms;

link_time next_look(link_time begun, link_time now) {
  return now + std::clamp<link_time::duration>((now - begun) / 4, first_look, last_look);
}

void tell(link_dialler::outcome& out, opened_socket end) {
  out.descriptor = end.descriptor;
  out.refused = end.refused;
  if (end.descriptor < 0)
    out.problem = end.problem + ": does the node run?";
}

}  // namespace

link_dialler::~link_dialler() {
  for (const auto& [id, at] : attempts_)
    if (at.descriptor >= 0)
      ::close(at.descriptor);
}

void link_dialler::dial(connection_id id, const std::string& address, link_time now) {
  attempts_.emplace(id, attempt{.address = address, .begun = now, .look_at = now});
}

void link_dialler::forget(connection_id id) {
  auto found = attempts_.find(id);
  if (found == attempts_.end())
    return;
  if (found->second.descriptor >= 0)
    ::close(found->second.descriptor);
  attempts_.erase(found);
}

std::optional<link_dialler::outcome> link_dialler::take_outcome(link_time now) {
  for (auto& [id, at] : attempts_) {
    if (now < at.look_at)
      continue;
    outcome out{.id = id, .problem = {}};
    if (look(at, out)) {
      attempts_.erase(id);
      return out;
    }
    at.look_at = next_look(at.begun, now);
  }
  return std::nullopt;
}

bool link_dialler::look(attempt& at, outcome& out) {
  if (at.descriptor < 0) {
    auto found = resolver_.ask(at.address);
    if (!found)
      return false;
    begin(at, *found, out);
    if (at.descriptor < 0)
      return true;
  }
  auto ended = look_at_connecting(at.descriptor);
  if (!ended)
    return false;
  tell(out, *std::move(ended));
  return true;
}

void link_dialler::begin(attempt& at, const resolved& to, outcome& out) {
  if (to.found.empty()) {
    out.problem = to.problem;
    return;
  }
  const auto& chosen = to.found[dials_[at.address]++ % to.found.size()];
  if (!chosen.is_loopback() && !beyond_the_machine_) {
    out.problem =
        "this address is beyond the machine, and what is said would be open to all: give "
        "certificates in [tls] of the cluster file";
    return;
  }
  auto begun = begin_connecting(chosen);
  at.descriptor = begun.descriptor;
  if (begun.descriptor < 0)
    tell(out, std::move(begun));
}

link_time link_dialler::deadline() const {
  auto first = link_time::max();
  for (const auto& [id, at] : attempts_)
    first = std::min(first, at.look_at);
  return first;
}

}  // namespace microlith::internal
