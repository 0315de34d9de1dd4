#include "support/browser.hpp"

#include <boost/json.hpp>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <stdexcept>

namespace microlith::test {

namespace json = boost::json;

namespace {

constexpr std::chrono::milliseconds patience{60'000};

// Where Chromium expects its pipes.
constexpr int command_descriptor = 3;
constexpr int event_descriptor = 4;

struct key {
  const char* name;
  const char* code;
  int number;
  const char* text;
};

key key_named(std::string_view name) {
  if (name == "Tab")
    return {"Tab", "Tab", 9, ""};
  if (name == "Enter")
    return {"Enter", "Enter", 13, "\r"};
  if (name == "Space")
    return {" ", "Space", 32, " "};
  throw std::invalid_argument{"no such key"};
}

}  // namespace

std::optional<std::filesystem::path> browser::find() {
  for (const auto* path :
       {"/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"}) {
    if (::access(path, X_OK) == 0)
      return path;
  }
  return std::nullopt;
}

browser::browser(const std::filesystem::path& program) {
  int commands[2];
  int events[2];
  if (::pipe2(commands, O_CLOEXEC) != 0 || ::pipe2(events, O_CLOEXEC) != 0)
    throw std::runtime_error{"cannot make pipes"};
  const auto profile = "--user-data-dir=" + profile_.path().string();
  // The sandbox needs rights that containers commonly lack; the only page it loads is ours.
  const std::vector<std::string> arguments{program.string(),
                                           "--headless=new",
                                           "--no-sandbox",
                                           "--disable-gpu",
                                           "--disable-dev-shm-usage",
                                           "--no-first-run",
                                           "--disable-background-networking",
                                           "--disable-component-update",
                                           "--disable-sync",
                                           "--no-proxy-server",
                                           "--remote-debugging-pipe",
                                           profile,
                                           "about:blank"};
  std::vector<char*> argv;
  for (const auto& argument : arguments)
    argv.push_back(const_cast<char*>(argument.c_str()));
  argv.push_back(nullptr);
  pid_ = ::fork();
  if (pid_ == 0) {
    ::setpgid(0, 0);
    ::alarm(600);
    // Out of the way of each other first: the pipes may have got these very numbers.
    int from = ::fcntl(commands[0], F_DUPFD, 10);
    int to = ::fcntl(events[1], F_DUPFD, 10);
    ::dup2(from, command_descriptor);
    ::dup2(to, event_descriptor);
    int nothing = ::open("/dev/null", O_RDWR);
    ::dup2(nothing, STDIN_FILENO);
    ::dup2(nothing, STDOUT_FILENO);
    ::dup2(nothing, STDERR_FILENO);
    ::execv(argv[0], argv.data());
    ::_exit(127);
  }
  ::close(commands[0]);
  ::close(events[1]);
  to_browser_ = commands[1];
  from_browser_ = events[0];

  auto target = call("Target.createTarget", {{"url", "about:blank"}});
  auto attached =
      call("Target.attachToTarget", {{"targetId", target.at("targetId")}, {"flatten", true}});
  session_ = attached.at("sessionId").as_string().c_str();
  for (const auto* domain : {"Page", "Runtime", "Log", "Network"})
    call(std::string{domain} + ".enable");
}

browser::~browser() {
  ::close(to_browser_);
  ::close(from_browser_);
  if (pid_ > 0) {
    ::kill(-pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
  }
}

json::object browser::receive() {
  while (true) {
    auto end = buffer_.find('\0');
    if (end != std::string::npos) {
      auto message = json::parse(buffer_.substr(0, end)).as_object();
      buffer_.erase(0, end + 1);
      return message;
    }
    pollfd ready{.fd = from_browser_, .events = POLLIN, .revents = 0};
    if (::poll(&ready, 1, static_cast<int>(patience.count())) <= 0)
      throw std::runtime_error{"the browser does not answer"};
    char chunk[65'536];
    auto size = ::read(from_browser_, chunk, sizeof chunk);
    if (size <= 0)
      throw std::runtime_error{"the browser has ended"};
    buffer_.append(chunk, static_cast<std::size_t>(size));
  }
}

void browser::note(const json::object& event) {
  auto method = event.at("method").as_string();
  const auto& parameters = event.at("params").as_object();
  if (method == "Runtime.exceptionThrown")
    complaints_.push_back(json::serialize(parameters));
  // Errors of the network are expected: replies such as 401 are logged as such.
  if (method == "Log.entryAdded") {
    const auto& entry = parameters.at("entry").as_object();
    if (entry.at("level") == "error" && entry.at("source") != "network")
      complaints_.push_back(json::serialize(entry));
  }
}

json::object browser::call(std::string_view method, json::object parameters) {
  const auto id = ++last_id_;
  json::object request{{"id", id}, {"method", method}, {"params", std::move(parameters)}};
  if (!session_.empty())
    request["sessionId"] = session_;
  auto text = json::serialize(request);
  text += '\0';
  for (std::string_view rest = text; !rest.empty();) {
    auto size = ::write(to_browser_, rest.data(), rest.size());
    if (size <= 0)
      throw std::runtime_error{"the browser has ended"};
    rest.remove_prefix(static_cast<std::size_t>(size));
  }
  while (true) {
    auto message = receive();
    if (message.contains("method")) {
      note(message);
      continue;
    }
    if (message.at("id") != id)
      continue;
    if (auto* error = message.if_contains("error"))
      throw std::runtime_error{std::string{method} + ": " + json::serialize(*error)};
    return message.at("result").as_object();
  }
}

void browser::open(const std::string& url) {
  call("Page.navigate", {{"url", url}});
  wait_until("document.readyState === 'complete' && location.href !== 'about:blank'");
}

json::value browser::evaluate(std::string_view expression) {
  auto result = call("Runtime.evaluate",
                     {{"expression", expression}, {"awaitPromise", true}, {"returnByValue", true}});
  if (auto* thrown = result.if_contains("exceptionDetails"))
    throw std::runtime_error{std::string{expression} + ": " + json::serialize(*thrown)};
  auto* value = result.at("result").as_object().if_contains("value");
  return value ? *value : json::value{};
}

std::string browser::text(std::string_view expression) {
  return evaluate(expression).as_string().c_str();
}

bool browser::holds(std::string_view condition) {
  return evaluate("Boolean(" + std::string{condition} + ")").as_bool();
}

void browser::wait_until(std::string_view condition) {
  auto until = std::chrono::steady_clock::now() + patience;
  while (std::chrono::steady_clock::now() < until) {
    try {
      // Looks once more after a moment, in the page: nothing is asked in vain over the pipe.
      if (evaluate("new Promise(done => { const look = left => (" + std::string{condition} +
                   ") ? done(true) : left ? setTimeout(look, 20, left - 1) : done(false);"
                   " look(50); })")
              .as_bool())
        return;
    } catch (const std::runtime_error& error) {
      // The page that was asked has been navigated away from.
      if (std::string_view{error.what()}.find("context") == std::string_view::npos &&
          std::string_view{error.what()}.find("navigated") == std::string_view::npos)
        throw;
    }
  }
  throw std::runtime_error{"never came true: " + std::string{condition}};
}

void browser::type(std::string_view text) {
  call("Input.insertText", {{"text", text}});
}

void browser::press(std::string_view name) {
  constexpr std::string_view shift = "Shift+";
  constexpr int shift_modifier = 8;
  int modifiers = 0;
  if (name.starts_with(shift)) {
    modifiers = shift_modifier;
    name.remove_prefix(shift.size());
  }
  auto pressed = key_named(name);
  json::object event{{"key", pressed.name},
                     {"code", pressed.code},
                     {"windowsVirtualKeyCode", pressed.number},
                     {"modifiers", modifiers}};
  auto down = event;
  down["type"] = "keyDown";
  if (*pressed.text != '\0')
    down["text"] = pressed.text;
  call("Input.dispatchKeyEvent", std::move(down));
  event["type"] = "keyUp";
  call("Input.dispatchKeyEvent", std::move(event));
}

void browser::click(std::string_view selector) {
  auto middle = evaluate("(() => { const e = document.querySelector('" + std::string{selector} +
                         "'); e.scrollIntoView(); const r = e.getBoundingClientRect();"
                         " return [r.x + r.width / 2, r.y + r.height / 2]; })()");
  for (const auto* what : {"mousePressed", "mouseReleased"}) {
    call("Input.dispatchMouseEvent", {{"type", what},
                                      {"x", middle.at(0)},
                                      {"y", middle.at(1)},
                                      {"button", "left"},
                                      {"clickCount", 1}});
  }
}

void browser::resize(int width, int height, bool is_phone) {
  call("Emulation.setDeviceMetricsOverride",
       {{"width", width}, {"height", height}, {"deviceScaleFactor", 1}, {"mobile", is_phone}});
}

void browser::set_dark(bool dark) {
  call("Emulation.setEmulatedMedia",
       {{"features", json::array{json::object{{"name", "prefers-color-scheme"},
                                              {"value", dark ? "dark" : "light"}}}}});
}

void browser::set_offline(bool offline) {
  call(
      "Network.emulateNetworkConditions",
      {{"offline", offline}, {"latency", 0}, {"downloadThroughput", -1}, {"uploadThroughput", -1}});
}

}  // namespace microlith::test
