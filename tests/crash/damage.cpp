// Damage: one bit of the journal's data file is flipped, or the file is cut; then it is opened and
// read in every way. It must refuse, saying what to do, or serve nothing but what was written, and
// must never die of it.
//
// Exit code 0: nothing damaged was served, and nobody died. 1: otherwise; it is printed, and kept.

#include "crash/driver.hpp"
#include "crash/ledger.hpp"
#include "crash/page_map.hpp"

#include <microlith/persistence/journal_reader.hpp>
#include <microlith/persistence/verify.hpp>

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <random>
#include <set>
#include <string>
#include <vector>

namespace {

using namespace microlith;
using namespace microlith::test;
namespace fs = std::filesystem;

// For one damage.
constexpr unsigned patience_s = 60;

/// Who looks at what is damaged.
enum class looker : std::uint8_t { journal, reader, verification };

const char* to_string(looker who) {
  constexpr const char* names[]{"journal", "journal_reader", "verify"};
  return names[static_cast<std::size_t>(who)];
}

struct damage {
  std::uint64_t at = 0;  ///< offset of a byte
  unsigned bit = 0;
  bool is_cut = false;  ///< the file ends before that byte
  std::string what;
};

/// What the process that looks says to the one that started it.
struct findings {
  std::uint64_t next = 0;  ///< number of the damage that is looked at
  std::uint64_t refused = 0;
  std::uint64_t located = 0;
  std::uint64_t unnoticed = 0;
  bool wrong = false;
  char text[1000];
};

bool says_what_to_do(const storage_error& error) {
  for (const char* hint : {"estore a backup", "delete", "start again", "Make room"}) {
    if (error.text.find(hint) != std::string::npos)
      return true;
  }
  return false;
}

class damaged_copy {
 public:
  damaged_copy(const fs::path& data, const ledger& events) : data_{data}, events_{&events} {
    file_ = ::open((data / "journal" / "data.mdb").c_str(), O_RDWR | O_CLOEXEC);
  }
  ~damaged_copy() { ::close(file_); }

  void inflict(const damage& wanted) {
    if (wanted.is_cut) {
      rest_.resize(static_cast<std::size_t>(::lseek(file_, 0, SEEK_END)) - wanted.at);
      check(::pread(file_, rest_.data(), rest_.size(), offset_of(wanted)));
      check(::ftruncate(file_, offset_of(wanted)));
    } else {
      flip(wanted);
    }
  }

  void mend(const damage& wanted) {
    if (wanted.is_cut)
      check(::pwrite(file_, rest_.data(), rest_.size(), offset_of(wanted)));
    else
      flip(wanted);
  }

  /// Empty where nothing damaged is served; counts in `seen` how the damage was met.
  std::string look(findings& seen, looker who) const {
    reading_outcome outcome;
    if (who == looker::verification) {
      auto report = verify(data_);
      bool is_reported = !report || report->is_damaged();
      ++(is_reported ? seen.located : seen.unnoticed);
      return is_reported ? "" : "it was not reported";
    }
    if (who == looker::reader) {
      auto opened = journal_reader::open(data_);
      if (!opened) {
        ++seen.refused;
        return says_what_to_do(opened.error()) ? "" : "no way out in: " + opened.error().text;
      }
      outcome = events_->read_what_can_be(**opened);
    } else {
      auto opened = journal::open(small_journal(data_));
      if (!opened) {
        ++seen.refused;
        return says_what_to_do(opened.error()) ? "" : "no way out in: " + opened.error().text;
      }
      outcome = events_->read_what_can_be(**opened);
    }
    if (!outcome.wrong.empty())
      return outcome.wrong;
    for (const auto& error : outcome.errors) {
      if (!says_what_to_do(error))
        return "no way out in: " + error.text;
    }
    ++(outcome.errors.empty() ? seen.unnoticed : seen.located);
    return {};
  }

 private:
  static void check(ssize_t done) {
    if (done < 0) {
      std::perror("cannot damage the file");
      std::_Exit(2);
    }
  }
  static off_t offset_of(const damage& wanted) { return static_cast<off_t>(wanted.at); }
  void flip(const damage& wanted) const {
    char byte = 0;
    check(::pread(file_, &byte, 1, offset_of(wanted)));
    byte = static_cast<char>(byte ^ (1 << wanted.bit));
    check(::pwrite(file_, &byte, 1, offset_of(wanted)));
  }

  fs::path data_;
  const ledger* events_;
  int file_ = -1;
  std::vector<char> rest_;
};

std::vector<damage> choose(const fs::path& file, const driver_options& options) {
  std::vector<damage> all;
  for (const auto& region : map_of(file)) {
    for (std::uint64_t i = 0; i < region.length; ++i)
      all.push_back({.at = region.offset + i, .what = region.what});
  }
  std::mt19937_64 random{options["seed"]};
  std::vector<damage> chosen;
  if (options["flips"] == 0) {
    for (const auto& byte : all) {
      for (unsigned bit = 0; bit < 8; ++bit)
        chosen.push_back({.at = byte.at, .bit = bit, .what = byte.what});
    }
  }
  // Half of them anywhere, half of them where a page is described: there is less of that.
  std::vector<damage> descriptions;
  for (const auto& byte : all) {
    if (byte.what != "records: leaf" && byte.what != "records: large value")
      descriptions.push_back(byte);
  }
  for (std::uint64_t i = 0; i < options["flips"]; ++i) {
    const auto& from = i % 2 == 0 ? all : descriptions;
    chosen.push_back(from[random() % from.size()]);
    chosen.back().bit = static_cast<unsigned>(random() % 8);
  }
  auto used = all.back().at;
  for (const auto& byte : all)
    used = std::max(used, byte.at);
  for (std::uint64_t i = 0; i < options["cuts"]; ++i)
    chosen.push_back({.at = random() % used, .is_cut = true, .what = "cut"});
  return chosen;
}

/// Looks at every damage, in processes of their own; false where something wrong was served.
bool look_at_all(const fs::path& data, const ledger& events, const std::vector<damage>& wanted,
                 looker who) {
  auto* shared = static_cast<findings*>(
      ::mmap(nullptr, sizeof(findings), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0));
  *shared = {};
  while (shared->next < wanted.size() && !shared->wrong) {
    auto child = ::fork();
    if (child == 0) {
      for (int signal : {SIGSEGV, SIGBUS, SIGABRT, SIGFPE})
        ::signal(signal, SIG_DFL);
      damaged_copy copy{data, events};
      for (; shared->next < wanted.size(); ++shared->next) {
        ::alarm(patience_s);
        const auto& one = wanted[shared->next];
        copy.inflict(one);
        auto problem = copy.look(*shared, who);
        if (!problem.empty()) {
          shared->wrong = true;
          std::snprintf(shared->text, sizeof shared->text, "%s", problem.c_str());
          break;
        }
        copy.mend(one);
      }
      std::_Exit(0);
    }
    int status = 0;
    ::waitpid(child, &status, 0);
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
      continue;
    shared->wrong = true;
    std::snprintf(shared->text, sizeof shared->text, "it died of it (status %d)", status);
  }
  if (shared->wrong) {
    const auto& last = wanted[shared->next];
    std::printf("%s at byte %llu, bit %u (%s), met by %s: %s\n", last.is_cut ? "a cut" : "a flip",
                static_cast<unsigned long long>(last.at), last.bit, last.what.c_str(),
                to_string(who), shared->text);
    return false;
  }
  std::printf("%s: %zu damages, %llu refused, %llu located, %llu met by nobody\n", to_string(who),
              wanted.size(), static_cast<unsigned long long>(shared->refused),
              static_cast<unsigned long long>(shared->located),
              static_cast<unsigned long long>(shared->unnoticed));
  return true;
}

}  // namespace

int main(int argc, char** argv) {
  driver_options options{argc,
                         argv,
                         "Flips bits of a journal and cuts it, and reads what is left.",
                         {{"seed", 1, "of everything that is random"},
                          {"commits", 120, "that the journal is made of"},
                          {"flips", 1200, "0: every bit that means something"},
                          {"cuts", 60, "at any byte"},
                          {"keep", 0, "leaves the directory where something was wrong", true}}};
  scratch_directory scratch;
  auto data = scratch.path() / "data";
  ledger events{options["seed"]};
  {
    auto journal_options = small_journal(data);
    journal_options.sync = false;
    auto opened = journal::open(journal_options);
    if (!opened) {
      std::printf("%s\n", to_string(opened.error()).c_str());
      return 2;
    }
    for (std::uint64_t i = 0; i < options["commits"]; ++i) {
      auto batch = events.next_batch();
      for (const auto& outcome : (*opened)->append(batch)) {
        if (const auto* refused = std::get_if<append_refused>(&outcome)) {
          std::printf("%s\n", refused->why.text.c_str());
          return 2;
        }
      }
    }
    if (!(*opened)->merge_now() || (*opened)->last_position() != events.size())
      return 2;
  }
  auto wanted = choose(data / "journal" / "data.mdb", options);
  for (auto who : {looker::reader, looker::journal, looker::verification}) {
    if (!look_at_all(data, events, wanted, who)) {
      if (options["keep"] != 0)
        scratch.keep();
      return 1;
    }
  }
  return 0;
}
