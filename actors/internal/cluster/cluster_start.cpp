#include <microlith/actors/internal/cluster/cluster_start.hpp>

namespace microlith::internal {

namespace {

storage_error cannot_start(std::string text) {
  return {.kind = storage_error_kind::unusable, .text = std::move(text)};
}

class coordinator_steps final : public stepped_node {
 public:
  explicit coordinator_steps(caf::scheduler::test_coordinator& scheduler) : scheduler_{scheduler} {}

  bool step() override { return scheduler_.try_run_once(); }
  steady_time next_due() const override {
    const auto& schedule = scheduler_.clock().schedule();
    return schedule.empty() ? steady_time::max() : schedule.begin()->first;
  }
  void advance_to(steady_time when) override {
    if (when > now())
      scheduler_.clock().advance_time(when - now());
  }
  steady_time now() const override { return scheduler_.clock().now(); }

 private:
  caf::scheduler::test_coordinator& scheduler_;
};

}  // namespace

result<cluster_setup, storage_error> plan_cluster(const cluster_options& options,
                                                  const std::vector<component>& components) {
  auto file = options.text.empty() ? read_cluster_file(options.file)
                                   : parse_cluster_file(options.text, options.file);
  if (!file)
    return file.error();
  std::set<std::string> names;
  cluster_setup setup;
  for (const auto& each : components) {
    if (!names.insert(each.name()).second)
      return cannot_start("two components are called " + each.name() +
                          "; a cluster places components by name: rename one");
    if (each.name() == journal_component)
      return cannot_start("a component must not be called journal: that name places the journal");
    for (const auto& declared : each.declarations()) {
      if (declared.how != involvement::serves)
        continue;
      setup.served_by.emplace(declared.type->name, each.name());
      setup.served_types.emplace_back(declared.type, each.name());
    }
    if (is_run_by_nodes(each))
      setup.components.push_back(each.name());
  }
  if (auto wrong = problem_with(*file, options.node, names))
    return cannot_start(*wrong);
  const auto& self = file->nodes.at(options.node);
  if (!self.is_loopback() && !file->tls && !options.insecure)
    return cannot_start(
        "node " + self.name + " would listen on " + self.address() +
        ", beyond loopback, without TLS: anybody there could act as a node. Add [tls] "
        "to the cluster file, or ask for it with --insecure");
  setup.file = std::move(*file);
  setup.node = options.node;
  setup.wiring = options.wiring;
  setup.insecure = options.insecure;
  return setup;
}

bool is_run_by_nodes(const component& of) {
  return !of.steps().empty() || !of.projections().empty() || !of.durable_subscriptions().empty();
}

std::shared_ptr<stepped_node> make_steps(caf::scheduler::test_coordinator& scheduler) {
  return std::make_shared<coordinator_steps>(scheduler);
}

}  // namespace microlith::internal
