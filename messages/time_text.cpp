#include <microlith/messages/internal/rfc3339.hpp>
#include <microlith/messages/time_text.hpp>

namespace microlith {

namespace {

constexpr internal::tick microsecond{1, 1'000'000};
constexpr std::size_t day_characters = 10;

}  // namespace

std::string time_text(std::chrono::sys_time<std::chrono::microseconds> time) {
  auto count = time.time_since_epoch().count();
  return internal::to_rfc3339(count, microsecond).value_or(std::to_string(count));
}

std::optional<std::chrono::sys_time<std::chrono::microseconds>> parse_time(std::string_view text) {
  std::string whole{text};
  if (text.size() == day_characters)
    whole += "T00:00:00Z";
  auto count = internal::from_rfc3339(whole, microsecond);
  if (!count)
    return std::nullopt;
  return std::chrono::sys_time<std::chrono::microseconds>{std::chrono::microseconds{*count}};
}

}  // namespace microlith
