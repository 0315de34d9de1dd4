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

}  // namespace

link_dialler::~link_dialler() {
  for (const auto& [id, at] : attempts_)
    if (at.descriptor >= 0)
      ::close(at.descriptor);
}

void link_dialler::dial(connection_id id, const std::string& address, link_time now) {
  attempts_.emplace(id, attempt{.address = address, .begun = now, .look_at = now});
}

void link_dialler::knock(connection_id id, const std::string& address, link_time now) {
  attempts_.emplace(id,
                    attempt{.address = address, .begun = now, .look_at = now, .only_knocks = true});
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
  if (!at.left) {
    auto found = resolver_.ask(at.address);
    if (!found)
      return false;
    resolve(at, *std::move(found));
    begin_next(at);
  }
  while (at.descriptor >= 0) {
    auto ended = look_at_connecting(at.descriptor);
    if (!ended)
      return false;
    at.descriptor = -1;
    if (ended->descriptor >= 0) {
      if (at.only_knocks)
        ::close(ended->descriptor);
      else
        out.descriptor = ended->descriptor;
      return true;
    }
    at.problem = ended->problem + ": does the node run?";
    (ended->refused ? at.refused : at.failed_otherwise) = true;
    begin_next(at);
  }
  out.problem = at.problem;
  out.refused = at.refused && !at.failed_otherwise;
  return true;
}

void link_dialler::resolve(attempt& at, resolved to) {
  at.left = std::move(to.found);
  at.problem = std::move(to.problem);
  // One that says nothing is not always the first.
  if (auto size = at.left->size(); size > 1)
    std::rotate(at.left->begin(),
                at.left->begin() + static_cast<std::ptrdiff_t>(first_[at.address]++ % size),
                at.left->end());
}

void link_dialler::begin_next(attempt& at) {
  while (!at.left->empty() && at.descriptor < 0) {
    auto chosen = at.left->front();
    at.left->erase(at.left->begin());
    if (!chosen.is_loopback() && !beyond_the_machine_) {
      at.problem =
          "this address is beyond the machine, and what is said would be open to all: give "
          "certificates in [tls] of the cluster file";
      continue;
    }
    auto begun = begin_connecting(chosen);
    at.descriptor = begun.descriptor;
    if (begun.refused) {
      at.refused = true;
      at.problem = begun.problem + ": does the node run?";
    } else if (begun.descriptor < 0 && !at.refused) {
      // It never left this machine, and so says nothing of the other one.
      at.problem = begun.problem;
    }
  }
}

link_time link_dialler::deadline() const {
  auto first = link_time::max();
  for (const auto& [id, at] : attempts_)
    first = std::min(first, at.look_at);
  return first;
}

}  // namespace microlith::internal
