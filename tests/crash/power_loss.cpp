// Power loss: appends, merges and projections are recorded on their way to the disk, and after any
// operation, states are built that a machine could wake up in (disk_model.hpp). Each must open,
// hold everything that was acknowledged by then, and nothing by halves. Some of them live on, and
// lose power again.
//
// Exit code 0: every state was fine. 1: one was not; it is printed, and kept.

#include "crash/disk_model.hpp"
#include "crash/driver.hpp"
#include "crash/ledger.hpp"
#include "crash/recorded_disk.hpp"

#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstdio>
#include <memory>
#include <string>
#include <vector>

namespace {

using namespace microlith;
using namespace microlith::test;
namespace fs = std::filesystem;

// A mark says how many events had been handed to the journal or acknowledged by it.
constexpr std::uint64_t mark_of(std::uint64_t events, bool acknowledged) {
  return 2 * events + (acknowledged ? 1 : 0);
}

struct settings {
  std::uint64_t commits;
  std::uint64_t states;
  bool sync;
};

[[noreturn]] void give_up(const std::string& why) {
  std::printf("%s\n", why.c_str());
  std::exit(2);
}

/// The process that is going to lose power: appends, merges, catches up, ends and starts again.
void live(const fs::path& data, ledger& events, const settings& wanted, std::mt19937_64& random) {
  auto options = small_journal(data);
  options.sync = wanted.sync;
  std::unique_ptr<journal> j;
  std::unique_ptr<projection_store> rows;
  auto start = [&] {
    rows.reset();
    j.reset();
    auto opened = journal::open(options);
    if (!opened)
      give_up(to_string(opened.error()));
    j = std::move(*opened);
    auto store = projection_store::open(
        noted_projection(),
        {.directory = data, .map_limit_bytes = options.map_limit_bytes, .sync = wanted.sync}, *j);
    if (!store)
      give_up(to_string(store.error()));
    rows = std::move(*store);
  };
  start();
  events.shorten(j->last_position());
  add_mark(mark_of(events.size(), true));
  for (std::uint64_t i = 0; i < wanted.commits; ++i) {
    auto batch = events.next_batch();
    add_mark(mark_of(events.size(), false));
    for (const auto& outcome : j->append(batch)) {
      if (!std::holds_alternative<appended>(outcome))
        give_up("an append was refused");
    }
    add_mark(mark_of(events.size(), true));
    if (random() % 4 == 0 && !rows->catch_up(*j))
      give_up("the projection does not catch up");
    if (random() % 16 == 0 && !rows->rebuild(*j))
      give_up("the projection is not rebuilt");
    if (random() % 16 == 0)
      start();
  }
}

// For the handler of signals: which state is being looked at.
char looking_at[256];

void say_where(int signal) {
  constexpr char text[] = "\na signal, while looking at this state: ";
  [[maybe_unused]] auto a = ::write(STDOUT_FILENO, text, sizeof text - 1);
  [[maybe_unused]] auto b =
      ::write(STDOUT_FILENO, looking_at, std::char_traits<char>::length(looking_at));
  ::signal(signal, SIG_DFL);
  ::raise(signal);
}

class power_losses {
 public:
  power_losses(scratch_directory& scratch, const settings& wanted, std::uint64_t seed)
      : scratch_{scratch}, wanted_{wanted}, random_{seed}, events_{seed} {}

  /// One life that ends in many ways; false where one of them is not fine. The next one begins
  /// where one of these has ended.
  bool live_once() {
    auto root = scratch_.path() / ("life" + std::to_string(lives_++));
    if (successor_.empty())
      fs::create_directory(root);
    else
      fs::rename(successor_, root);
    start_recording(root);
    add_mark(mark_of(successor_acknowledged_, true));  // what comes before it was there already
    live(root / "data", events_, wanted_, random_);
    auto recording = stop_recording();
    auto chance = static_cast<double>(wanted_.states) / static_cast<double>(recording.size());
    auto successor_at = recording.size() / 4 + random_() % (recording.size() / 2);

    disk_model disk;
    std::uint64_t handed = 0;
    std::uint64_t acknowledged = 0;
    bool is_alive = false;
    for (std::size_t i = 0; i < recording.size(); ++i) {
      const auto& operation = recording[i];
      disk.apply(operation);
      bool is_acknowledgement = false;
      if (operation.what == disk_operation::kind::mark) {
        is_alive = true;
        is_acknowledgement = operation.offset % 2 == 1;
        (is_acknowledgement ? acknowledged : handed) = operation.offset / 2;
      }
      // What has just been acknowledged is what would be missed.
      if (is_acknowledgement && !survives(disk, survivors::none, acknowledged, i))
        return false;
      if (!is_alive)
        continue;
      std::uniform_real_distribution<double> dice{0, 1};
      for (auto left = chance; left > 0 && disk.is_uncertain(); left -= 1) {
        auto kept = static_cast<survivors>(random_() % survivors_count);
        if (dice(random_) < left && !survives(disk, kept, acknowledged, i))
          return false;
      }
      if (i == successor_at) {
        successor_ = scratch_.path() / "successor";
        fs::create_directory(successor_);
        disk.wake_up(successor_, survivors::some, random_);
        successor_acknowledged_ = acknowledged;
      }
    }
    fs::remove_all(root);
    return true;
  }

  [[nodiscard]] std::uint64_t states() const { return states_; }
  [[nodiscard]] std::uint64_t lives() const { return lives_; }

 private:
  bool survives(const disk_model& disk, survivors kept, std::uint64_t acknowledged,
                std::size_t operation) {
    ++states_;
    auto root = scratch_.path() / "state";
    fs::remove_all(root);
    fs::create_directory(root);
    std::snprintf(
        looking_at, sizeof looking_at, "life %llu, after operation %zu, survivors: %s, in %s\n",
        static_cast<unsigned long long>(lives_ - 1), operation, to_string(kept), root.c_str());
    disk.wake_up(root, kept, random_);
    auto problem = events_.problem_with(root / "data", acknowledged);
    if (problem.empty())
      return true;
    std::printf("%s  %s\n", looking_at, problem.c_str());
    return false;
  }

  scratch_directory& scratch_;
  settings wanted_;
  std::mt19937_64 random_;
  ledger events_;
  fs::path successor_;
  std::uint64_t successor_acknowledged_ = 0;
  std::uint64_t lives_ = 0;
  std::uint64_t states_ = 0;
};

}  // namespace

int main(int argc, char** argv) {
  driver_options options{
      argc,
      argv,
      "Builds the states that a machine could wake up in after a loss of power, and opens them.",
      {{"seed", 1, "of everything that is random"},
       {"lives", 3, "each begins where the one before it lost power"},
       {"commits", 40, "in a life"},
       {"states", 300, "looked at in a life, besides one after every acknowledgement"},
       {"no-sync", 0, "journal and projection do not sync: must fail", true},
       {"keep", 0, "leaves the directory of a state that was not fine", true}}};
  for (int signal : {SIGSEGV, SIGBUS, SIGABRT})
    ::signal(signal, say_where);
  scratch_directory scratch;
  power_losses losses{
      scratch,
      {.commits = options["commits"], .states = options["states"], .sync = options["no-sync"] == 0},
      options["seed"]};
  for (std::uint64_t life = 0; life < options["lives"]; ++life) {
    if (!losses.live_once()) {
      if (options["keep"] != 0)
        scratch.keep();
      return 1;
    }
  }
  std::printf("%llu states in %llu lives: nothing acknowledged is missing, nothing is half there\n",
              static_cast<unsigned long long>(losses.states()),
              static_cast<unsigned long long>(losses.lives()));
  return 0;
}
