#include <microlith/actors/component.hpp>

#include <algorithm>

namespace microlith {

component& component::projects(projection_group definition) {
  projections_.push_back(std::move(definition));
  return *this;
}

component& component::subscribes(durable_subscription added) {
  for (const auto& handler : added.handlers())
    declare(involvement::listens, *handler.type);
  durable_subscriptions_.push_back(std::move(added));
  return *this;
}

void component::declare(involvement how, const message_type& type, std::string projection) {
  declarations_.push_back({how, &type, std::move(projection)});
  know(type);
}

void component::know(const message_type& type) {
  if (std::find(types_.begin(), types_.end(), &type) == types_.end())
    types_.push_back(&type);
}

std::string describe(const std::vector<component>& components) {
  std::string text;
  for (const auto& each : components) {
    text += each.name() + '\n';
    for (const auto& declared : each.declarations()) {
      text += "  ";
      text += to_string(declared.how);
      text += std::string(12 - std::min<std::size_t>(11, to_string(declared.how).size()), ' ');
      text += to_string(declared.type->kind);
      text += ' ';
      text += declared.type->name;
      if (!declared.projection.empty())
        text.append("  (from ").append(declared.projection).append(")");
      text += '\n';
    }
    for (const auto& projection : each.projections()) {
      text.append("  projects    ").append(projection.name()).append("  from");
      for (const auto& member : projection.members()) {
        for (const auto& handler : member.handlers())
          text.append(" ").append(handler.event);
      }
      text += '\n';
    }
  }
  return text;
}

std::string describe_dot(const std::vector<component>& components) {
  auto quoted = [](std::string_view name) {
    std::string text{'"'};
    text.append(name);
    text.push_back('"');
    return text;
  };
  std::string text = "digraph components {\n  rankdir=LR;\n  node [shape=box];\n";
  auto edge = [&](std::string_view from, std::string_view to, std::string_view label) {
    text.append("  ").append(quoted(from)).append(" -> ").append(quoted(to));
    text.append(" [label=").append(quoted(label)).append("];\n");
  };
  for (const auto& each : components) {
    text.append("  ").append(quoted(each.name())).append(" [style=bold];\n");
    for (const auto& declared : each.declarations()) {
      text.append("  ").append(quoted(declared.type->name)).append(" [shape=ellipse];\n");
      bool towards =
          declared.how == involvement::publishes || declared.how == involvement::dispatches;
      if (towards)
        edge(each.name(), declared.type->name, to_string(declared.how));
      else
        edge(declared.type->name, each.name(), to_string(declared.how));
    }
    for (const auto& projection : each.projections()) {
      for (const auto& member : projection.members()) {
        for (const auto& handler : member.handlers())
          edge(handler.event, each.name(), "projects");
      }
    }
  }
  return text + "}\n";
}

}  // namespace microlith
