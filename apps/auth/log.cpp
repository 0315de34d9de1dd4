#include "auth/log.hpp"

#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

namespace auth {

void start_log(const std::string& level) {
  auto logger = spdlog::stderr_logger_mt("auth-node");
  logger->set_pattern("%Y-%m-%dT%H:%M:%S.%eZ %l %v", spdlog::pattern_time_type::utc);
  logger->set_level(spdlog::level::from_str(level));
  logger->flush_on(spdlog::level::info);
  spdlog::set_default_logger(std::move(logger));
}

std::function<void(microlith::log_level, const std::string&)> node_log() {
  return [](microlith::log_level level, const std::string& text) {
    switch (level) {
      case microlith::log_level::debug:
        return spdlog::debug("{}", text);
      case microlith::log_level::info:
        return spdlog::info("{}", text);
      case microlith::log_level::warning:
        return spdlog::warn("{}", text);
      case microlith::log_level::error:
        return spdlog::error("{}", text);
    }
  };
}

}  // namespace auth
