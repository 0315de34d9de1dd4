#include "crash/soak_client.hpp"

#include <thread>
#include <utility>

namespace microlith::test {

namespace {

using namespace std::chrono_literals;
using steady = std::chrono::steady_clock;

/// A gateway answers within some times 5 s, and may be frozen meanwhile. http_client gives up
/// later.
constexpr auto request_limit = 50s;
/// How long everything may take to be well again.
constexpr auto settle_limit = 120s;
/// A sign-in that nobody used ends after 600 s.
constexpr auto cookie_age_limit = 200s;
constexpr std::size_t sign_ins_kept = 64;
/// While nothing is answered nobody new comes: all of them would have to be settled.
constexpr std::size_t open_limit = 8;
constexpr auto pause_without_answer = 5ms;

std::string json_of(const soak_user& user) {
  return R"({"email":")" + user.email + R"(","password":")" + user.password + R"("})";
}

}  // namespace

soak_client::soak_client(std::uint16_t port, unsigned number, std::uint64_t seed)
    : port_{port},
      prefix_{"client" + std::to_string(number) + "-"},
      random_{seed * 1'000 + number} {}

std::optional<http_response> soak_client::call(std::string_view method, std::string_view path,
                                               std::string_view body,
                                               std::vector<std::string> headers) {
  ++counts_.requests;
  // Attempts are counted by address.
  auto part = [&] { return std::to_string(random_() % 256); };
  headers.push_back("X-Forwarded-For: 10." + part() + '.' + part() + '.' + part());
  if (!connection_ || !connection_->is_connected())
    connection_ = std::make_unique<http_client>(port_);
  auto start = steady::now();
  std::optional<http_response> response;
  try {
    if (connection_->is_connected())
      response = connection_->call(method, path, body, headers);
  } catch (const std::runtime_error&) {
    // It ended without an answer.
  }
  if (!response && steady::now() - start >= request_limit)
    problem_ = std::string{method} + ' ' + std::string{path} + " was neither answered nor ended";
  if (!response)
    connection_.reset();
  if (response && response->status != 503 && response->status != 504) {
    ++counts_.answered;
    return response;
  }
  std::this_thread::sleep_for(pause_without_answer);
  return std::nullopt;
}

void soak_client::wrong(std::string_view what, std::string_view who, const http_response& told) {
  problem_ = std::string{what} + ' ' + std::string{who} + " was answered " +
             std::to_string(told.status) + ' ' + told.body;
}

bool soak_client::register_user(soak_user& user) {
  bool is_new = !user.is_acknowledged && (open_.empty() || &users_[open_.back()] != &user);
  std::vector<std::string> headers;
  if (!user.key.empty())
    headers.push_back("Idempotency-Key: " + user.key);
  auto told = call("POST", "/api/register", json_of(user), headers);
  if (!told)
    return false;
  // Without a key a repetition cannot be told from somebody else.
  user.is_acknowledged =
      told->status == 201 || (told->status == 409 && !is_new && user.key.empty());
  if (!user.is_acknowledged)
    wrong(is_new ? "the registration of" : "the repeated registration of", user.email, *told);
  return true;
}

bool soak_client::log_in(soak_user& user) {
  auto told = call("POST", "/api/login", json_of(user), {});
  if (!told)
    return false;
  if (told->status != 200) {
    wrong("signing in as", user.email + ", who was told to be registered,", *told);
    return true;
  }
  ++user.acknowledged_sign_ins;
  auto set = told->header("set-cookie");
  signed_in_.push_back({user.email, "Cookie: " + set.substr(0, set.find(';')), steady::now()});
  // Read your own writes.
  ask_who(signed_in_.back(), false);
  if (signed_in_.size() > sign_ins_kept)
    signed_in_.erase(signed_in_.begin());
  return true;
}

void soak_client::ask_who(const sign_in& as, bool is_over) {
  auto told = call("GET", "/api/me", {}, {as.cookie});
  if (!told)
    return;
  bool is_right =
      is_over ? told->status == 401
              : told->status == 200 && told->body.find('"' + as.email + '"') != std::string::npos;
  if (!is_right)
    wrong(is_over ? "asking who it is, signed out," : "asking who it is, signed in,", as.email,
          *told);
}

void soak_client::log_out() {
  auto at = signed_in_.begin() + static_cast<std::ptrdiff_t>(random_() % signed_in_.size());
  auto ended = std::move(*at);
  signed_in_.erase(at);
  auto told = call("POST", "/api/logout", {}, {ended.cookie});
  if (!told)
    return;  // it may or may not have ended
  if (told->status != 204)
    return wrong("signing out", ended.email, *told);
  ask_who(ended, true);
  signed_out_.push_back(std::move(ended));
  if (signed_out_.size() > sign_ins_kept)
    signed_out_.erase(signed_out_.begin());
}

void soak_client::act() {
  auto now = steady::now();
  std::erase_if(signed_in_, [&](const auto& one) { return now - one.since > cookie_age_limit; });
  auto what = random_() % 100;
  if (open_.size() >= open_limit || (what < 15 && !open_.empty())) {
    if (register_user(users_[open_.back()]))
      open_.pop_back();
  } else if (what < 40 && !users_.empty()) {
    auto& user = users_[random_() % users_.size()];
    if (user.is_acknowledged)
      log_in(user);
  } else if (what < 75 && !signed_in_.empty()) {
    ask_who(signed_in_[random_() % signed_in_.size()], false);
  } else if (what < 80 && !signed_out_.empty()) {
    ask_who(signed_out_[random_() % signed_out_.size()], true);
  } else if (what < 85 && !signed_in_.empty()) {
    log_out();
  } else if (what < 95 && !signed_in_.empty()) {
    ask_who(signed_in_.back(), false);
  } else {
    auto name = prefix_ + std::to_string(users_.size());
    users_.push_back({.email = name + "@example.org",
                      .password = "correct horse " + name,
                      .key = random_() % 4 == 0 ? std::string{} : "key-" + name});
    if (!register_user(users_.back()))
      open_.push_back(users_.size() - 1);
  }
}

void soak_client::settle() {
  auto until = steady::now() + settle_limit;
  auto insist = [&](auto once) {
    while (problem_.empty() && !once()) {
      if (steady::now() > until)
        problem_ = "everything is well, and still nothing is answered";
    }
  };
  while (!open_.empty() && problem_.empty()) {
    insist([&] { return register_user(users_[open_.back()]); });
    open_.pop_back();
  }
  for (auto& user : users_) {
    if (user.is_acknowledged)
      insist([&] { return log_in(user); });
  }
}

}  // namespace microlith::test
