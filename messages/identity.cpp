#include <microlith/messages/coarse_clock.hpp>
#include <microlith/messages/identity.hpp>

#include <atomic>
#include <random>

namespace microlith::internal {

namespace {

constexpr std::uint64_t version_bits = 0x7000;
constexpr std::uint64_t variant_bits = 0x8000'0000'0000'0000ULL;

// 48 bits of milliseconds and 12 bits of the fraction of one: 1/4096 ms a step. Between two ticks
// of the coarse clock ids count up.
std::uint64_t now_steps() {
  using namespace std::chrono;
  auto since_epoch = duration_cast<nanoseconds>(coarse_system_now().time_since_epoch()).count();
  auto ns = static_cast<std::uint64_t>(since_epoch);
  auto ms = ns / 1'000'000;
  auto fraction = ((ns % 1'000'000) << 12) / 1'000'000;
  return (ms << 12) | fraction;
}

std::atomic<std::uint64_t> last_steps{0};

// splitmix64 (Steele, Lea, Flood: "Fast splittable pseudorandom number generators", 2014): ids need
// to be distinct, not unpredictable.
std::uint64_t next_random() {
  thread_local std::uint64_t state = [] {
    std::random_device device;
    return (std::uint64_t{device()} << 32) | device();
  }();
  state += 0x9E3779B97F4A7C15ULL;
  auto z = state;
  z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9ULL;
  z = (z ^ (z >> 27)) * 0x94D049BB133111EBULL;
  return z ^ (z >> 31);
}

// The first of `count` steps that nobody else gets.
std::uint64_t reserve_steps(std::uint64_t count) {
  auto now = now_steps();
  auto first = last_steps.fetch_add(count, std::memory_order_relaxed) + 1;
  // Mostly somebody has been here since the clock's last tick. A clock that stands still or was set
  // back must not break the order.
  if (first >= now)
    return first;
  auto last = first;
  do {
    first = now > last ? now : last + 1;
  } while (!last_steps.compare_exchange_weak(last, first + count - 1, std::memory_order_relaxed));
  return first;
}

uuid_halves uuid_at(std::uint64_t steps) {
  return {((steps >> 12) << 16) | version_bits | (steps & 0xFFF),
          variant_bits | (next_random() >> 2)};
}

int digit_value(char c) {
  if (c >= '0' && c <= '9')
    return c - '0';
  if (c >= 'a' && c <= 'f')
    return c - 'a' + 10;
  if (c >= 'A' && c <= 'F')
    return c - 'A' + 10;
  return -1;
}

}  // namespace

uuid_halves next_uuid() {
  return uuid_at(reserve_steps(1));
}

std::pair<uuid_halves, uuid_halves> next_uuids() {
  auto first = reserve_steps(2);
  return {uuid_at(first), uuid_at(first + 1)};
}

std::string uuid_text(uuid_halves id) {
  static constexpr char digits[] = "0123456789abcdef";
  std::string text;
  text.reserve(36);
  for (int nibble = 0; nibble < 32; ++nibble) {
    if (nibble == 8 || nibble == 12 || nibble == 16 || nibble == 20)
      text += '-';
    auto half = nibble < 16 ? id.high : id.low;
    text += digits[(half >> (60 - 4 * (nibble % 16))) & 0xF];
  }
  return text;
}

std::optional<uuid_halves> parse_uuid(std::string_view text) {
  if (text.size() != 36)
    return std::nullopt;
  std::uint64_t halves[2]{};
  int nibble = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (i == 8 || i == 13 || i == 18 || i == 23) {
      if (text[i] != '-')
        return std::nullopt;
      continue;
    }
    int value = digit_value(text[i]);
    if (value < 0)
      return std::nullopt;
    auto& half = halves[nibble / 16];
    half = (half << 4) | static_cast<std::uint64_t>(value);
    ++nibble;
  }
  return uuid_halves{halves[0], halves[1]};
}

}  // namespace microlith::internal
