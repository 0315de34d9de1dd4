#include <microlith/actors/internal/cluster/known_places.hpp>

namespace microlith::internal {

std::optional<place> known_places::of(std::string_view component) const {
  std::lock_guard lock{mutex_};
  auto at = all_.find(component);
  return at == all_.end() ? std::nullopt : std::optional{at->second};
}

std::vector<std::string> known_places::on(std::string_view node) const {
  std::vector<std::string> names;
  std::lock_guard lock{mutex_};
  for (const auto& [component, at] : all_) {
    if (at.node == node)
      names.push_back(component);
  }
  return names;
}

placement_table known_places::all() const {
  std::lock_guard lock{mutex_};
  return all_;
}

placement_table known_places::certain() const {
  std::lock_guard lock{mutex_};
  auto some = all_;
  some.erase(changing_);
  return some;
}

void known_places::replace(placement_table all) {
  std::lock_guard lock{mutex_};
  all_ = std::move(all);
}

void known_places::is_changing(const std::string& component) {
  std::lock_guard lock{mutex_};
  changing_ = component;
}

void known_places::stays() {
  std::lock_guard lock{mutex_};
  changing_.clear();
}

void known_places::has_moved(const std::string& component, place to) {
  std::lock_guard lock{mutex_};
  all_[component] = std::move(to);
  changing_.clear();
}

}  // namespace microlith::internal
