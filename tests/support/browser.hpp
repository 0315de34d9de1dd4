#pragma once

// A headless Chromium, spoken to over its DevTools protocol, by pipe. One page. Blocking; what
// takes longer than `patience` fails the test with an exception.

#include "support/temporary_directory.hpp"

#include <boost/json/object.hpp>
#include <boost/json/value.hpp>

#include <chrono>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace microlith::test {

class browser {
 public:
  /// Where Chromium is installed, if it is.
  [[nodiscard]] static std::optional<std::filesystem::path> find();

  explicit browser(const std::filesystem::path& program);
  browser(const browser&) = delete;
  browser& operator=(const browser&) = delete;
  ~browser();

  void open(const std::string& url);

  /// The value of a JavaScript expression; promises are awaited.
  boost::json::value evaluate(std::string_view expression);
  [[nodiscard]] std::string text(std::string_view expression);
  [[nodiscard]] bool holds(std::string_view condition);

  /// Until the condition holds.
  void wait_until(std::string_view condition);

  /// Keys go to what has the focus.
  void type(std::string_view text);
  void press(std::string_view key);  ///< "Tab", "Shift+Tab", "Enter" or "Space"

  /// A click of the mouse into the middle of the element.
  void click(std::string_view selector);

  void resize(int width, int height, bool is_phone);
  void set_dark(bool dark);
  void set_offline(bool offline);

  /// Exceptions and violations of the security policy, as the page's console would show them.
  [[nodiscard]] const std::vector<std::string>& complaints() const { return complaints_; }

 private:
  boost::json::object call(std::string_view method, boost::json::object parameters = {});
  boost::json::object receive();
  void note(const boost::json::object& event);

  temporary_directory profile_;
  int pid_ = -1;
  int to_browser_ = -1;
  int from_browser_ = -1;
  std::string buffer_;
  std::string session_;
  int last_id_ = 0;
  std::vector<std::string> complaints_;
};

}  // namespace microlith::test
