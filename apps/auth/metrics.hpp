#pragma once

// What the node can tell about itself, as Prometheus text. Thread-safe.

#include <microlith/actors/statistics.hpp>

#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

namespace auth {

class metrics {
 public:
  /// The functions are called whenever the text is asked for.
  metrics(std::function<microlith::statistics()> node, std::function<std::size_t()> connections);
  metrics(const metrics&) = delete;
  metrics& operator=(const metrics&) = delete;
  ~metrics();

  /// An HTTP request was answered. `route` comes from a fixed set.
  void observe_request(std::string_view route, int status, double seconds);

  /// In Prometheus' text format, version 0.0.4.
  [[nodiscard]] std::string text() const;

 private:
  struct families;

  std::function<microlith::statistics()> node_;
  std::function<std::size_t()> connections_;
  std::unique_ptr<families> http_;
};

}  // namespace auth
