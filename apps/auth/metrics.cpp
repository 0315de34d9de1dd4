#include "auth/metrics.hpp"

#include <prometheus/counter.h>
#include <prometheus/histogram.h>
#include <prometheus/registry.h>
#include <prometheus/text_serializer.h>

#include <vector>

namespace auth {

namespace {

using prometheus::ClientMetric;
using prometheus::MetricFamily;
using prometheus::MetricType;

const prometheus::Histogram::BucketBoundaries request_seconds{.001, .0025, .005, .01, .025, .05,
                                                              .1,   .25,   .5,   1,   2.5,  5};

MetricFamily family(std::string name, std::string help, MetricType type) {
  MetricFamily made;
  made.name = std::move(name);
  made.help = std::move(help);
  made.type = type;
  return made;
}

using labels = std::vector<ClientMetric::Label>;

void add(MetricFamily& to, labels labels, std::uint64_t value) {
  ClientMetric metric;
  metric.label = std::move(labels);
  if (to.type == MetricType::Counter)
    metric.counter.value = static_cast<double>(value);
  else
    metric.gauge.value = static_cast<double>(value);
  to.metric.push_back(std::move(metric));
}

MetricFamily single(std::string name, std::string help, MetricType type, std::uint64_t value) {
  auto made = family(std::move(name), std::move(help), type);
  add(made, {}, value);
  return made;
}

MetricFamily by_label(std::string name, std::string help, MetricType type, const std::string& label,
                      const std::map<std::string, std::uint64_t>& values) {
  auto made = family(std::move(name), std::move(help), type);
  for (const auto& [key, value] : values)
    add(made, {{label, key}}, value);
  return made;
}

MetricFamily histogram(std::string name, std::string help, const microlith::histogram& from) {
  auto made = family(std::move(name), std::move(help), MetricType::Histogram);
  ClientMetric metric;
  std::uint64_t cumulative = 0;
  for (std::size_t i = 0; i < from.counts.size(); ++i) {
    cumulative += from.counts[i];
    if (i < from.bounds.size()) {
      ClientMetric::Bucket bucket;
      bucket.upper_bound = from.bounds[i];
      bucket.cumulative_count = cumulative;
      metric.histogram.bucket.push_back(bucket);
    }
  }
  metric.histogram.sample_count = cumulative;
  metric.histogram.sample_sum = from.sum;
  made.metric.push_back(std::move(metric));
  return made;
}

void append_node(std::vector<MetricFamily>& to, const microlith::statistics& node) {
  auto messages =
      family("microlith_messages_total", "Messages that passed a bus.", MetricType::Counter);
  for (const auto& count : node.messages)
    add(messages, {{"bus", count.bus}, {"type", count.type}}, count.count);
  to.push_back(std::move(messages));
  to.push_back(by_label("microlith_waits_total", "Waits that have ended.", MetricType::Counter,
                        "outcome", node.waits_by_outcome));
  to.push_back(by_label("microlith_mailbox_depth", "Messages that wait to be handled.",
                        MetricType::Gauge, "actor", node.mailbox_depth));
  to.push_back(by_label("microlith_in_flight", "Messages admitted from outside and not done.",
                        MetricType::Gauge, "bus", node.in_flight));
  to.push_back(by_label("microlith_projection_position", "Position up to which rows are derived.",
                        MetricType::Gauge, "projection", node.projection_position));
  auto lag = family("microlith_projection_lag", "Events of the journal that rows are behind.",
                    MetricType::Gauge);
  auto stopped =
      family("microlith_projection_stopped",
             "1 where a projection stands at an event that it cannot apply.", MetricType::Gauge);
  auto skipped =
      family("microlith_projection_skipped_events",
             "Events that a projection could not apply and went past.", MetricType::Gauge);
  for (const auto& [name, projection] : node.projections) {
    add(lag, {{"projection", name}}, projection.lag);
    add(stopped, {{"projection", name}}, projection.stopped ? 1 : 0);
    add(skipped, {{"projection", name}}, projection.skipped_events);
  }
  to.push_back(std::move(lag));
  to.push_back(std::move(stopped));
  to.push_back(std::move(skipped));
  auto behind =
      family("microlith_subscription_lag",
             "Events of the journal that a durable subscription is behind.", MetricType::Gauge);
  auto parked = family("microlith_subscription_parked_events", "Events that wait for a person.",
                       MetricType::Gauge);
  for (const auto& [name, subscription] : node.durable_subscriptions) {
    add(behind, {{"subscription", name}}, subscription.lag);
    add(parked, {{"subscription", name}}, subscription.parked_events);
  }
  to.push_back(std::move(behind));
  to.push_back(std::move(parked));
  to.push_back(single("microlith_journal_position", "Position of the last durable event.",
                      MetricType::Gauge, node.journal_position));
  to.push_back(by_label("microlith_refused_total", "Messages and waits that were not let in.",
                        MetricType::Counter, "reason", node.refused));
  to.push_back(single("microlith_late_answers_total", "Answers that came after their time limit.",
                      MetricType::Counter, node.late_answers));
  to.push_back(single("microlith_missed_events_total", "Events that live subscribers missed.",
                      MetricType::Counter, node.missed_by_subscribers));
  to.push_back(single("microlith_handler_exceptions_total", "Handlers that threw.",
                      MetricType::Counter, node.handler_exceptions));
  to.push_back(histogram("microlith_commit_batch_events", "Events per commit of the journal.",
                         node.commit_batch_events));
  to.push_back(histogram("microlith_commit_duration_seconds", "Time that a commit took.",
                         node.commit_duration_seconds));
}

}  // namespace

struct metrics::families {
  prometheus::Registry registry;
  prometheus::Family<prometheus::Counter>& requests =
      prometheus::BuildCounter()
          .Name("auth_http_requests_total")
          .Help("HTTP requests answered, by route and status.")
          .Register(registry);
  prometheus::Family<prometheus::Histogram>& seconds =
      prometheus::BuildHistogram()
          .Name("auth_http_request_duration_seconds")
          .Help("Time from the first byte of a request to its reply, by route.")
          .Register(registry);
};

metrics::metrics(std::function<microlith::statistics()> node,
                 std::function<std::size_t()> connections)
    : node_{std::move(node)},
      connections_{std::move(connections)},
      http_{std::make_unique<families>()} {}

metrics::~metrics() = default;

void metrics::observe_request(std::string_view route, int status, double seconds) {
  const std::string name{route};
  http_->requests.Add({{"route", name}, {"status", std::to_string(status)}}).Increment();
  http_->seconds.Add({{"route", name}}, request_seconds).Observe(seconds);
}

std::string metrics::text() const {
  auto all = http_->registry.Collect();
  all.push_back(
      single("auth_http_connections", "Open HTTP connections.", MetricType::Gauge, connections_()));
  append_node(all, node_());
  return prometheus::TextSerializer{}.Serialize(all);
}

}  // namespace auth
