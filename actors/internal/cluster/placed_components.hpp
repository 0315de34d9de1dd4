#pragma once

// The components of the program on one node of a cluster, wherever each has its place: those that
// have it here are begun, the others are ended, and each takes part in its moves.
//
//   - one that has moved here begins when its rows have reached what was seen of it elsewhere;
//   - one that ends cannot begin again until it has ended;
//   - what a gate holds goes on once the component is served where it has its place, or cannot be
//     for the moment, or after the time of a step.
//
// What says something may be called by any thread, all else by the keeper's.

#include <microlith/actors/internal/cluster/component_gate.hpp>
#include <microlith/actors/internal/cluster/known_places.hpp>
#include <microlith/actors/internal/cluster/wire.hpp>
#include <microlith/messages/outcome.hpp>

#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace microlith::internal {

class hosted_components;
class runtime;

/// What they ask of their node.
class placed_actions {
 public:
  virtual ~placed_actions() = default;
  /// Whether another node is known to serve it, or cannot be reached.
  [[nodiscard]] virtual bool is_served(const std::string& component,
                                       const std::string& there) const = 0;
  /// To the mover.
  virtual void report_step(wire::move_step said) = 0;
  /// What is served here has changed.
  virtual void routes_changed() = 0;
  virtual void later(std::chrono::milliseconds delay, std::function<void()> run) = 0;
};

struct placed_component {
  explicit placed_component(std::string n) : name{std::move(n)} {}

  const std::string name;
  component_gate commands;
  component_gate queries;
  std::atomic<std::uint64_t> epoch{0};  ///< in which it was begun here
  // The keeper's.
  std::uint64_t move = 0;      ///< that it takes part in; 0: none
  bool opens = false;          ///< its gates, once it is served where it has its place
  std::uint64_t openings = 0;  ///< how often it was to open them
  std::string trouble;         ///< why it cannot begin
};

class placed_components {
 public:
  placed_components(placed_actions& actions, runtime& node, std::string node_name,
                    const std::vector<std::string>& names, const known_places& places,
                    hosted_components& hosted);

  [[nodiscard]] placed_component* find(std::string_view name) const;
  [[nodiscard]] std::uint64_t epoch_of(std::string_view name) const;
  /// Those that have their place here and do not run yet.
  [[nodiscard]] std::vector<std::string> waiting() const;
  /// Messages.
  [[nodiscard]] std::size_t held() const;

  /// Before there is a keeper, where the journal is here: those that have their place here.
  [[nodiscard]] result<void, failure> begin_all();
  /// Where they run was `before` and has changed, when the journal had come to that position.
  void places_changed(const placement_table& before, std::uint64_t position);
  /// Begins what has its place here and ends what has not.
  void settle();
  void take_step(const wire::move_step& said);
  /// The node that has the journal is lost: its move is off, or done.
  void lost_mover();
  /// Those that are to be opened and can be.
  void open_gates();

 private:
  [[nodiscard]] bool is_here(std::string_view name) const;
  [[nodiscard]] result<bool, failure> begin(placed_component& at, std::uint64_t epoch);
  void end(const std::string& name, std::function<void()> then);
  void open_when_served(placed_component& at);
  void open(placed_component& at);

  void prepare(placed_component& at);
  void hold(placed_component& at);
  void leave(placed_component& at);
  void resume(placed_component& at);
  void report(std::uint64_t move, const std::string& component, wire::step what,
              std::string why = {});
  void await(placed_component& at, std::uint64_t move, std::function<bool()> is_so,
             std::function<void()> then);

  placed_actions& actions_;
  runtime& runtime_;
  const std::string node_;
  const known_places& places_;
  hosted_components& hosted_;
  std::map<std::string, std::unique_ptr<placed_component>, std::less<>> all_;  ///< never changes
  std::uint64_t placed_at_ = 0;  ///< position of the journal when it was said where they run
  std::string preparing_;        ///< is here, though its place is elsewhere; empty: none
  std::set<std::string> ending_;
  bool looks_at_rows_ = false;
};

}  // namespace microlith::internal
