// Writes a data directory for auth-node with --events in its journal: registrations of as many
// users.

#include "../journal_samples.hpp"
#include "../load.hpp"
#include "auth/messages.hpp"
#include "auth/user.hpp"

namespace {

using namespace bench;

// As libsodium writes it; nobody signs in as these users.
constexpr auto hash =
    "$argon2id$v=19$m=65536,t=2,p=1$abcdefghijklmnopqrstuv$"
    "abcdefghijklmnopqrstuvwxyzabcdefghijklmnopq";

}  // namespace

int main(int argc, char** argv) {
  arguments from{argc, argv};
  auto events = from.count("events", 10'000);
  auto journal = open(from.text("directory"));
  for (std::uint64_t number = 0; number < events;) {
    std::vector<microlith::append_request> batch(std::min<std::uint64_t>(10'000, events - number));
    for (auto& request : batch) {
      char email[40];
      std::snprintf(email, sizeof email, "user%010llu@example.org",
                    static_cast<unsigned long long>(++number));
      request.id = microlith::message_id::make();
      microlith::envelope_head head{.id = microlith::message_id::make(),
                                    .correlation = {request.id.high, request.id.low},
                                    .causation = request.id,
                                    .root = request.id,
                                    .facts = {}};
      head.time = std::chrono::time_point_cast<microlith::wall_time::duration>(
          std::chrono::system_clock::now());
      request.events.push_back(
          {microlith::envelope{std::move(head), auth::user_registered_event{email, hash}},
           std::string{auth::user::stream} + "/" + email});
    }
    (void)append(*journal, std::move(batch));
  }
  std::printf("{\"operations\": %llu}\n", static_cast<unsigned long long>(events));
}
