#include <microlith/actors/caf.hpp>
#include <microlith/actors/internal/actors_part.hpp>
#include <microlith/actors/internal/cluster/cluster_start.hpp>
#include <microlith/actors/internal/hosted_components.hpp>
#include <microlith/actors/internal/node_assembly.hpp>
#include <microlith/actors/internal/node_statistics.hpp>
#include <microlith/actors/node.hpp>
#include <microlith/persistence/memory_journal.hpp>
#include <microlith/persistence/owner.hpp>

namespace microlith {

namespace {

failure storage_failure(const storage_error& error) {
  return {.kind = failure_kind::handler_failed,
          .certainty = certainty::not_done,
          .text = to_string(error),
          .message = {}};
}

result<void, catalog_error> learn_types(internal::runtime::actors_part& part, const component& of) {
  return part.catalog.update([&](type_catalog& catalog) -> result<void, catalog_error> {
    for (const auto* type : of.types()) {
      if (auto added = catalog.add(*type); !added)
        return added;
    }
    return {};
  });
}

// An event dispatched where nothing tells its stream would be journaled in none, without a word.
std::optional<storage_error> half_declared() {
  auto names = half_declared_streams();
  if (names.empty())
    return std::nullopt;
  return storage_error{
      .kind = storage_error_kind::unusable,
      .text = "cannot start: some files of this program see stream_of(const " +
              std::string{names.front()} +
              "&) and others do not, so that its events may be journaled in no stream; declare it "
              "right below the event's struct, in the same header"};
}

// What another node sends is of this program's types, also where no component here mentions them.
void learn_program_types(internal::runtime::actors_part& part) {
  part.catalog.update([](type_catalog& catalog) {
    for (const auto* type : program_types()) {
      if (catalog.find(type->name) == nullptr)
        static_cast<void>(catalog.add(*type));
    }
  });
}

}  // namespace

struct node::hosted {
  explicit hosted(internal::runtime& of) : components{of} {}

  std::optional<data_owner> owner;
  internal::hosted_components components;
};

result<node, storage_error> node::start(node_options options, std::vector<component> components) {
  if (auto error = half_declared())
    return std::move(*error);
  node made;
  auto data = options.data;
  std::optional<data_owner> owner;
  if (!data.empty()) {
    auto acquired = data_owner::acquire(data);
    if (!acquired)
      return acquired.error();
    owner.emplace(std::move(*acquired));
  }
  std::optional<internal::cluster_setup> setup;
  if (options.cluster) {
    auto planned = internal::plan_cluster(*options.cluster, components);
    if (!planned)
      return planned.error();
    options.name = planned->node;
    setup = std::move(*planned);
  }
  auto wrap = options.wrap_journal;
  auto map_bytes = options.journal_map_bytes;
  bool in_background = options.scheduler == scheduling::threads;
  made.runtime_ = internal::node_assembly::make(std::move(options));
  made.hosted_ = std::make_unique<hosted>(*made.runtime_);
  made.hosted_->owner = std::move(owner);
  auto& part = made.runtime_->actors();
  for (const auto& each : components) {
    if (auto learned = learn_types(part, each); !learned)
      return storage_error{.kind = storage_error_kind::unusable,
                           .text = to_string(learned.error())};
  }
  if (setup)
    internal::node_assembly::join_cluster(*made.runtime_, std::move(*setup),
                                          made.hosted_->components);
  bool elsewhere = part.others && !part.others->has_journal();
  if (elsewhere) {
    part.journal = part.others->make_journal();
  } else if (data.empty()) {
    part.journal = make_memory_journal();
  } else {
    std::vector<projection_group> inlined;
    for (const auto& each : components)
      for (const auto& projection : each.projections())
        if (projection.inlined())
          inlined.push_back(projection);
    auto opened = journal::open({.directory = data,
                                 .catalog = *part.catalog.get(),
                                 .map_limit_bytes = map_bytes,
                                 .inline_projections = std::move(inlined),
                                 .merge_in_background = in_background});
    if (!opened)
      return opened.error();
    part.journal = std::move(*opened);
  }
  if (wrap && !elsewhere)
    part.journal = wrap(std::move(part.journal));
  if (part.others)
    learn_program_types(part);
  internal::node_assembly::start_actors(*made.runtime_);
  auto refuse = [&](std::string why) {
    made.stop();
    return storage_error{.kind = storage_error_kind::unusable, .text = std::move(why)};
  };
  if (!part.others) {
    for (const auto& each : components) {
      if (auto ok = made.host(each); !ok)
        return refuse(ok.error().text);
    }
    return made;
  }
  made.hosted_->components.offer(std::move(components));
  if (!elsewhere) {
    if (auto read = part.others->read_places(); !read)
      return refuse(read.error().text);
    if (auto ok = part.others->begin_here(); !ok)
      return refuse(ok.error().text);
  }
  auto links = internal::make_links(
      *part.system, part.others->setup(),
      [&part](const std::string& text) { part.log(log_level::warning, text); });
  if (!links)
    return refuse(links.error().text);
  part.others->start(std::move(*links), [&part] { return internal::cluster_status_of(part); });
  return made;
}

node::node(node&& other) noexcept = default;

node& node::operator=(node&& other) noexcept {
  if (this != &other) {
    stop();
    runtime_ = std::move(other.runtime_);
    hosted_ = std::move(other.hosted_);
  }
  return *this;
}

node::~node() {
  stop();
}

void node::stop() {
  if (!runtime_ || !hosted_)
    return;
  auto& part = runtime_->actors();
  if (part.system) {
    internal::node_assembly::stop(*runtime_);
  }
  hosted_->components.forget();
  internal::node_assembly::close(*runtime_);
  hosted_.reset();
}

command_bus node::commands() const {
  return command_bus{runtime_};
}
query_bus node::queries() const {
  return query_bus{runtime_};
}
event_bus node::events() const {
  return event_bus{runtime_};
}

const subscription_store* node::subscription_state(const std::string& name) const {
  auto all = runtime_->actors().durables.get();
  auto at = all->find(name);
  return at == all->end() ? nullptr : at->second->store.get();
}

result<void, failure> node::about_parked(const std::string& subscription, const std::string& key,
                                         bool drop, std::optional<std::uint64_t> position) {
  auto refuse = [](failure_kind kind, std::string text) {
    return failure{
        .kind = kind, .certainty = certainty::not_done, .text = std::move(text), .message = {}};
  };
  auto all = runtime_->actors().durables.get();
  auto at = all->find(subscription);
  if (at == all->end())
    return refuse(failure_kind::no_handler,
                  "no durable subscription " + subscription + " is hosted here");
  auto held = at->second->store->find(key);
  if (!held)
    return storage_failure(held.error());
  if (!*held || !(*held)->parked)
    return refuse(failure_kind::handler_failed, "durable subscription " + subscription +
                                                    " has not parked the key \"" + key +
                                                    "\": nothing is to be done about it");
  caf::anon_send(at->second->actor, internal::parked_message{key, drop, position});
  return {};
}

result<void, failure> node::replay_parked(const std::string& subscription, const std::string& key) {
  return about_parked(subscription, key, false, {});
}

result<void, failure> node::drop_parked(const std::string& subscription, const std::string& key,
                                        std::optional<std::uint64_t> position) {
  return about_parked(subscription, key, true, position);
}

result<void, failure> node::host(const component& added) {
  return hosted_->components.add(added);
}

bool node::hosts(std::string_view component) const {
  const auto& part = runtime_->actors();
  return !part.others || part.others->hosts(component);
}

std::size_t node::run() {
  std::size_t steps = 0;
  while (runtime_->actors().step())
    ++steps;
  return steps;
}

void node::advance(std::chrono::milliseconds time) {
  auto& part = runtime_->actors();
  run();
  if (part.steps)
    part.others->wiring()->advance(time);
  else
    part.test_scheduler().advance_time(time);
  run();
}

const journal& node::journal() const {
  return *runtime_->actors().journal;
}

const projection_rows* node::rows(const std::string& projection) const {
  auto& part = runtime_->actors();
  auto all = part.projectors.get();
  if (auto at = all->find(projection); at != all->end())
    return at->second->store.get();
  return part.journal ? part.journal->rows_of(projection) : nullptr;
}

std::optional<projection_statistics> node::progress_of(const std::string& projection) const {
  auto& part = runtime_->actors();
  auto all = part.projectors.get();
  auto at = all->find(projection);
  if (at == all->end()) {
    const auto* rows = part.journal ? part.journal->rows_of(projection) : nullptr;
    if (rows == nullptr)
      return std::nullopt;
    return projection_statistics{.position = rows->checkpoint(), .caught_up = true};
  }
  return internal::statistics_of(*at->second, part.journal ? part.journal->last_position() : 0);
}

result<void, failure> node::rebuild(const std::string& projection) {
  auto all = runtime_->actors().projectors.get();
  auto at = all->find(projection);
  if (at == all->end())
    return failure{.kind = failure_kind::no_handler,
                   .certainty = certainty::not_done,
                   .text = "no projection " + projection + " is hosted here: it cannot be rebuilt",
                   .message = {}};
  caf::anon_send(at->second->actor, internal::rebuild_atom::value);
  return {};
}

caf::actor_system& actor_system_of(node& at) {
  return *at.runtime()->actors().system;
}

subscription subscribe(node& at, const message_type& type, caf_receiver receiver) {
  auto live = std::make_shared<internal::live_subscriber>();
  live->native = std::move(receiver);
  return at.runtime()->actors().add_subscriber(type, std::move(live), at.runtime());
}

internal::bus_actor bus_actor_of(node& at, message_kind kind) {
  using internal::bus_kind;
  auto which = kind == message_kind::command                                   ? bus_kind::command
               : kind == message_kind::query || kind == message_kind::response ? bus_kind::query
                                                                               : bus_kind::event;
  return at.runtime()->actors().bus(which).front;
}

}  // namespace microlith
