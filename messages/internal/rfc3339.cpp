#include <microlith/messages/internal/rfc3339.hpp>

#include <chrono>
#include <cstdio>

namespace microlith::internal {

namespace {

using std::chrono::days;
using std::chrono::sys_days;

constexpr std::int64_t day_s = 86'400;
constexpr std::int64_t earliest_s =
    sys_days{std::chrono::year{0} / 1 / 1}.time_since_epoch().count() * day_s;
constexpr std::int64_t latest_s =
    sys_days{std::chrono::year{10'000} / 1 / 1}.time_since_epoch().count() * day_s - 1;

/// How many digits after the point; nothing if no number of them is exact.
std::optional<int> fraction_digits(tick unit) {
  if (unit.denominator == 1)
    return 0;
  if (unit.numerator != 1)
    return std::nullopt;
  int digits = 0;
  for (auto rest = unit.denominator; rest > 1; rest /= 10, ++digits) {
    if (rest % 10 != 0)
      return std::nullopt;
  }
  return digits;
}

/// Reads `digits` decimal digits off the front.
std::optional<int> take_number(std::string_view& text, std::size_t digits) {
  if (text.size() < digits)
    return std::nullopt;
  int value = 0;
  for (std::size_t i = 0; i < digits; ++i) {
    if (text[i] < '0' || text[i] > '9')
      return std::nullopt;
    value = value * 10 + (text[i] - '0');
  }
  text.remove_prefix(digits);
  return value;
}

bool take(std::string_view& text, char expected) {
  if (!text.starts_with(expected))
    return false;
  text.remove_prefix(1);
  return true;
}

/// "2024-02-29T12:00:00" in seconds since 1970.
std::optional<std::int64_t> take_seconds(std::string_view& text) {
  auto year = take_number(text, 4);
  auto month = year && take(text, '-') ? take_number(text, 2) : std::nullopt;
  auto day = month && take(text, '-') ? take_number(text, 2) : std::nullopt;
  auto hour = day && take(text, 'T') ? take_number(text, 2) : std::nullopt;
  auto minute = hour && take(text, ':') ? take_number(text, 2) : std::nullopt;
  auto second = minute && take(text, ':') ? take_number(text, 2) : std::nullopt;
  if (!second || *hour > 23 || *minute > 59 || *second > 59)
    return std::nullopt;
  std::chrono::year_month_day date{std::chrono::year{*year},
                                   std::chrono::month{static_cast<unsigned>(*month)},
                                   std::chrono::day{static_cast<unsigned>(*day)}};
  if (!date.ok())
    return std::nullopt;
  return sys_days{date}.time_since_epoch().count() * day_s + *hour * 3600 + *minute * 60 + *second;
}

}  // namespace

std::optional<std::string> to_rfc3339(std::int64_t ticks, tick unit) {
  auto digits = fraction_digits(unit);
  if (!digits)
    return std::nullopt;
  std::int64_t seconds = ticks;
  std::int64_t fraction = 0;
  if (unit.denominator == 1) {
    if (ticks < earliest_s / unit.numerator || ticks > latest_s / unit.numerator)
      return std::nullopt;
    seconds = ticks * unit.numerator;
  } else {
    seconds = ticks / unit.denominator;
    fraction = ticks % unit.denominator;
    if (fraction < 0) {
      fraction += unit.denominator;
      --seconds;
    }
  }
  if (seconds < earliest_s || seconds > latest_s)
    return std::nullopt;
  auto day = std::chrono::floor<days>(std::chrono::sys_seconds{std::chrono::seconds{seconds}});
  std::chrono::year_month_day date{day};
  auto of_day = seconds - day.time_since_epoch().count() * day_s;
  char text[64];
  std::snprintf(text, sizeof text, "%04d-%02u-%02uT%02d:%02d:%02d", static_cast<int>(date.year()),
                static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()),
                static_cast<int>(of_day / 3600), static_cast<int>(of_day / 60 % 60),
                static_cast<int>(of_day % 60));
  std::string out = text;
  if (*digits > 0) {
    std::snprintf(text, sizeof text, ".%0*lld", *digits, static_cast<long long>(fraction));
    out += text;
  }
  return out + 'Z';
}

std::optional<std::int64_t> from_rfc3339(std::string_view text, tick unit) {
  auto digits = fraction_digits(unit);
  auto seconds = take_seconds(text);
  if (!digits || !seconds)
    return std::nullopt;
  std::int64_t fraction = 0;
  if (take(text, '.')) {
    int read = 0;
    for (; !text.empty() && text.front() >= '0' && text.front() <= '9'; ++read) {
      if (read >= *digits)
        return std::nullopt;
      fraction = fraction * 10 + (text.front() - '0');
      text.remove_prefix(1);
    }
    if (read == 0)
      return std::nullopt;
    for (; read < *digits; ++read)
      fraction *= 10;
  }
  if (text != "Z")
    return std::nullopt;
  if (unit.denominator == 1) {
    if (*seconds % unit.numerator != 0)
      return std::nullopt;
    return *seconds / unit.numerator;
  }
  // The first tick of all lies within a second that cannot be counted to: approach it from above.
  if (*seconds < 0 && fraction > 0) {
    ++*seconds;
    fraction -= unit.denominator;
  }
  std::int64_t ticks = 0;
  if (__builtin_mul_overflow(*seconds, unit.denominator, &ticks) ||
      __builtin_add_overflow(ticks, fraction, &ticks))
    return std::nullopt;
  return ticks;
}

}  // namespace microlith::internal
