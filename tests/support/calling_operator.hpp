#pragma once

// The tool `microlith cluster`, as a peer of deterministic nodes.

#include "support/cluster_nodes.hpp"

#include <microlith/actors/internal/cluster/wire.hpp>

#include <memory>
#include <optional>
#include <string>
#include <utility>

namespace microlith::test {

namespace wire = internal::wire;

class calling_operator final : public internal::link_events {
 public:
  explicit calling_operator(cluster_nodes& nodes, const std::string& name = "operator")
      : nodes_{nodes}, links_{nodes.network->make_links(name)} {
    links_->start(*this);
    nodes.run();
  }
  ~calling_operator() override { links_->stop(); }

  void begin_move(const std::string& component, const std::string& to,
                  const std::string& asked = "a") {
    auto how = links_->send(asked, wire::frame(wire::kind::operator_question,
                                               wire::operator_question{1, component, to}));
    BOOST_REQUIRE((how == internal::sent::taken));
  }
  /// Lets time pass until the answer is there: why not, or empty.
  std::string end_move() {
    for (int i = 0; i < 1'000'000 && !answer; ++i) {
      if (!nodes_.network->step() && !nodes_.network->jump())
        break;
    }
    BOOST_REQUIRE(answer.has_value());
    auto ended = *std::exchange(answer, std::nullopt);
    nodes_.run();
    return ended.refused.value_or("");
  }
  std::string move(const std::string& component, const std::string& to,
                   const std::string& asked = "a") {
    begin_move(component, to, asked);
    return end_move();
  }
  cluster_status status(const std::string& of) {
    BOOST_REQUIRE((links_->send(of, wire::frame(wire::kind::operator_question,
                                                wire::operator_question{2, {}, {}})) ==
                   internal::sent::taken));
    nodes_.run();
    BOOST_REQUIRE(answer.has_value());
    return std::exchange(answer, std::nullopt)->status;
  }

  void joined(const std::string&, message_id) override {}
  void arrived(const std::string&, std::span<const std::byte> message) override {
    auto said = decode<wire::operator_answer>(message.subspan(1));
    if (said && message.front() == static_cast<std::byte>(wire::kind::operator_answer))
      answer = std::move(*said);
  }
  void interrupted(const std::string&, const std::string&) override {}
  void resumed(const std::string&) override {}
  void lost(const std::string&, const std::string&) override {}

  std::optional<wire::operator_answer> answer;

 private:
  cluster_nodes& nodes_;
  std::unique_ptr<internal::links> links_;
};

}  // namespace microlith::test
