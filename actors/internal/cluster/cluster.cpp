// Who is there: joining, leaving, routes.

#include <microlith/actors/internal/actors_part.hpp>
#include <microlith/actors/internal/cluster/cluster.hpp>
#include <microlith/actors/internal/hosted_components.hpp>
#include <microlith/actors/internal/link/link_options.hpp>

#include <algorithm>

namespace microlith::internal {

namespace {

constexpr std::size_t max_types_in_a_frame = 100;

std::string nothing_there(const peer& at) {
  auto why = at.why_not();
  return "node " + at.name + " at " + at.address + " is not there (" + why + ")";
}

}  // namespace

cluster::cluster(runtime& node, cluster_setup setup, hosted_components& hosted)
    : runtime_{node},
      setup_{std::move(setup)},
      hosted_{&hosted},
      places_{placement_of(setup_.file)},
      placed_{*this, node, setup_.node, setup_.components, places_, hosted} {
  journal_node_ = setup_.file.host_of(journal_component)->name;
  for (const auto& [type, component] : setup_.served_types) {
    if (auto* part = placed_.find(component))
      gates_.emplace(type, type->kind == message_kind::command ? &part->commands : &part->queries);
  }
  if (has_journal())
    mover_ = std::make_unique<mover>(static_cast<move_actions&>(*this), setup_.file);
  const auto& self = setup_.file.nodes.at(setup_.node);
  for (const auto& [name, each] : setup_.file.nodes) {
    if (name == setup_.node)
      continue;
    auto added = std::make_unique<peer>(each);
    added->carries_secrets = setup_.file.tls || (self.is_loopback() && each.is_loopback());
    peers_.emplace(name, std::move(added));
  }
  for (auto& name : names_of_callers(std::string{operator_name})) {
    auto added = std::make_unique<peer>(cluster_node{.name = name, .host = {}, .hosts = {}});
    added->is_operator = true;
    operators_.emplace(std::move(name), std::move(added));
  }
  // Anywhere: what a peer still says to the process that was here before means nothing to this one.
  last_ticket_.store(message_id::make().low);
}

cluster::~cluster() = default;

std::unique_ptr<journal> cluster::make_journal() {
  auto made = std::make_unique<remote_journal>(*this);
  remote_journal_ = made.get();
  return made;
}

void cluster::start(std::unique_ptr<links> links, std::function<cluster_status()> describe) {
  links_ = std::move(links);
  describe_ = std::move(describe);
  keeper_ = spawn_executor(runtime_);
  if (has_journal())
    reader_ = spawn_executor(runtime_);
  links_->start(*this);
  if (has_journal())
    on_keeper([this] { placed_.settle(); });
}

void cluster::announce_stop() {
  stopping_.store(true, std::memory_order_release);
  routes_changed();
}

void cluster::stop() {
  if (stopped_.exchange(true) || !links_)
    return;
  links_->stop();
  fail_reads("this node is stopping");
  refuse_appends({.kind = failure_kind::stopped,
                  .certainty = certainty::unknown,
                  .text = "this node is stopping; whether the events were appended is not known",
                  .message = {}});
}

void cluster::quit() {
  if (keeper_)
    caf::anon_send(keeper_, stop_atom::value);
  if (reader_)
    caf::anon_send(reader_, stop_atom::value);
}

peer* cluster::find(std::string_view name) {
  if (auto at = peers_.find(name); at != peers_.end())
    return at->second.get();
  auto at = operators_.find(name);
  return at == operators_.end() ? nullptr : at->second.get();
}

cluster_status cluster::status() const {
  cluster_status all;
  all.node = setup_.node;
  all.journal_node = journal_node_;
  all.hosts = places_.on(setup_.node);
  all.waiting = placed_.waiting();
  for (const auto& [component, at] : places())
    all.places.push_back({component, at.node, at.epoch});
  all.held = placed_.held();
  all.appending = appending();
  auto own = own_routes();
  all.serves = std::move(own.serves);
  all.wants = std::move(own.wants);
  all.journal_position = runtime_.actors().journal->last_position();
  all.handling = handling();
  auto links = links_ ? links_->status() : std::vector<link_status>{};
  for (const auto& [name, at] : peers_) {
    auto& one = all.others.emplace_back();
    one.name = name;
    one.address = at->address;
    if (auto known = at->known_routes()) {
      one.there = at->greeted.load() && !at->cut_off.load() && !known->stopping;
      one.serves = known->serves;
      one.wants = known->wants;
    }
    if (!one.there)
      one.why = at->why_not();
    {
      std::lock_guard lock{at->sending};
      one.waiting_bytes = at->backlog_bytes;
    }
    {
      std::lock_guard lock{forwarded_mutex_};
      one.forwarded = static_cast<std::uint64_t>(
          std::count_if(forwarded_.begin(), forwarded_.end(),
                        [&](const auto& each) { return each.second.to == at.get(); }));
    }
    for (const auto& link : links) {
      if (link.peer != name)
        continue;
      one.messages_sent = link.messages_sent;
      one.messages_received = link.messages_received;
      one.unacknowledged_bytes = link.unacknowledged_bytes;
      one.round_trip_us = link.round_trip_us;
      one.reconnects = link.reconnects;
    }
  }
  return all;
}

void cluster::joined(const std::string& name, message_id) {
  auto* at = find(name);
  if (at == nullptr)
    return;
  at->types.clear();
  at->pieces.clear();
  if (at->is_operator) {
    at->cut_off.store(false);
    at->joined.store(true);
    return;
  }
  {
    std::unique_lock types{types_mutex_};
    at->cut_off.store(false);
    at->joined.store(true);
    greet(*at);
  }
  runtime_.actors().log(log_level::info, "node " + name + " has joined");
}

void cluster::greet(peer& to) {
  auto& node = runtime_.actors();
  wire::greeting said;
  said.has_journal = has_journal();
  if (has_journal()) {
    said.journal_epoch = node.journal->epoch();
    said.last_position = node.journal->last_position();
  }
  deliver(to, wire::frame(wire::kind::greeting, said));
  for (const auto& [name, type] : node.catalog.get()->types()) {
    if (numbers_.emplace(type, static_cast<std::uint32_t>(numbered_.size())).second)
      numbered_.push_back(type);
  }
  send_types(to, 0);
  deliver(to, wire::frame(wire::kind::routes, own_routes()));
  if (has_journal())
    deliver(to, wire::frame(wire::kind::placement, own_places()));
}

void cluster::send_types(peer& to, std::size_t from) {
  while (from < numbered_.size()) {
    wire::types some;
    for (; from < numbered_.size() && some.all.size() < max_types_in_a_frame; ++from) {
      const auto& type = *numbered_[from];
      some.all.push_back({.number = static_cast<std::uint32_t>(from),
                          .kind = static_cast<std::uint8_t>(type.kind),
                          .holds_secret = type.holds_secret,
                          .schema = *type.schema});
    }
    deliver(to, wire::frame(wire::kind::types, some));
  }
}

wire::routes cluster::own_routes() const {
  auto& node = runtime_.actors();
  wire::routes own;
  own.stopping = stopping_.load(std::memory_order_acquire);
  own.wants_bell = !has_journal();
  for (auto kind : {bus_kind::command, bus_kind::query}) {
    for (const auto& [type, route] : *node.bus(kind).routes.get())
      own.serves.emplace_back(type->name);
  }
  for (const auto& [type, all] : *node.subscribers.get()) {
    if (!all.empty())
      own.wants.emplace_back(type->name);
  }
  own.runs = hosted_->running();
  std::sort(own.serves.begin(), own.serves.end());
  std::sort(own.wants.begin(), own.wants.end());
  return own;
}

void cluster::routes_changed() {
  if (!links_ || stopped_.load(std::memory_order_acquire))
    return;
  // Exclusive, so that what is said last is what holds.
  std::unique_lock types{types_mutex_};
  auto said = wire::frame(wire::kind::routes, own_routes());
  for (const auto& [name, at] : peers_) {
    if (at->joined.load())
      deliver(*at, said);
  }
}

void cluster::interrupted(const std::string& name, const std::string& why) {
  auto* at = find(name);
  if (at == nullptr)
    return;
  at->cut_off.store(true);
  {
    std::lock_guard lock{at->looking};
    at->why = why;
  }
  if (at->is_operator)
    return;
  rebuild_routing();
  if (name == journal_node_)
    fail_reads(nothing_there(*at));
  runtime_.actors().log(log_level::warning, "node " + name + " is cut off: " + why);
}

void cluster::resumed(const std::string& name) {
  auto* at = find(name);
  if (at == nullptr)
    return;
  at->cut_off.store(false);
  {
    std::lock_guard lock{at->sending};
    at->bell_due = has_journal() && !at->is_operator;
    if (!flush(*at))
      retry_later();
  }
  if (at->is_operator)
    return;
  rebuild_routing();
  runtime_.actors().log(log_level::info, "node " + name + " is back");
}

void cluster::lost(const std::string& name, const std::string& why) {
  auto* at = find(name);
  if (at == nullptr)
    return;
  at->joined.store(false);
  at->greeted.store(false);
  at->cut_off.store(false);
  {
    std::lock_guard lock{at->sending};
    at->published.clear();
    at->backlog.clear();
    at->backlog_bytes = 0;
    at->bell_due = false;
  }
  {
    std::lock_guard lock{at->looking};
    at->why = why;
    at->routes = nullptr;
  }
  if (at->is_operator)
    return;
  rebuild_routing();
  on_keeper([this, name] {
    if (mover_)
      mover_->lost(name);
    else if (name == journal_node_)
      placed_.lost_mover();
    placed_.open_gates();
  });
  runtime_.actors().log(log_level::warning, "node " + name + " is gone: " + why);
  std::vector<envelope> unanswered;
  {
    std::lock_guard lock{forwarded_mutex_};
    for (auto next = forwarded_.begin(); next != forwarded_.end();) {
      if (next->second.to == at) {
        forget_conversation_of(next->first, next->second.message);
        unanswered.push_back(std::move(next->second.message));
        next = forwarded_.erase(next);
      } else {
        ++next;
      }
    }
    forwarded_count_.store(forwarded_.size(), std::memory_order_release);
  }
  for (const auto& message : unanswered)
    runtime_.actors().failed(message,
                             {.kind = failure_kind::unreachable,
                              .certainty = certainty::unknown,
                              .text = nothing_there(*at) + " and may or may not have done " +
                                      std::string{message.type().name} +
                                      "; dispatch it again with the same message id, which is safe",
                              .message = {}});
  if (name == journal_node_) {
    fail_reads(nothing_there(*at));
    refuse_appends({.kind = failure_kind::unreachable,
                    .certainty = certainty::unknown,
                    .text = nothing_there(*at) +
                            ", which has the journal; whether the events were appended is not "
                            "known: dispatch the command again with the same message id",
                    .message = {}});
  }
}

void cluster::rebuild_routing() {
  routing made;
  std::unique_lock lock{routing_mutex_};
  for (const auto& [name, at] : peers_) {
    auto known = at->known_routes();
    if (!known)
      continue;
    std::erase_if(served_before_, [&](const auto& each) { return each.second == name; });
    // What is published waits for a peer that is cut off; what it serves is out of reach.
    for (const auto& type : known->wants)
      made.wants[type].push_back(at.get());
    for (const auto& type : known->serves) {
      served_before_[type] = name;
      if (known->stopping || at->cut_off.load())
        continue;
      // Of two that say so, the one where its component has its place is right.
      auto component = setup_.served_by.find(type);
      auto place = component == setup_.served_by.end() ? std::nullopt : place_of(component->second);
      if (place && place->node == name)
        made.serves.insert_or_assign(type, at.get());
      else
        made.serves.emplace(type, at.get());
    }
  }
  routing_ = std::move(made);
  routing_version_.fetch_add(1, std::memory_order_release);
}

}  // namespace microlith::internal
