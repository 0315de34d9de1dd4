#include "microlith/cluster_views.hpp"

#include "microlith/command.hpp"

#include <microlith/messages/print.hpp>

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>
#include <boost/json/value_from.hpp>

namespace tool {

using microlith::cluster_status;
using microlith::node_answer;
using microlith::print_text;

namespace {

std::string listed(const std::vector<std::string>& names) {
  std::string text;
  for (const auto& name : names)
    text += (text.empty() ? "" : ", ") + print_text(name);
  return text;
}

std::string counted(std::uint64_t count, const char* what) {
  return count == 0 ? std::string{} : ", " + std::to_string(count) + " " + what;
}

std::string link_text(const microlith::other_node& to) {
  auto text = "  link to " + print_text(to.name) + "  ";
  if (!to.there)
    return text + "not there: " + print_text(to.why) + '\n';
  text += "there, ";
  if (auto us = static_cast<std::uint64_t>(to.round_trip_us); us != 0)  // 0: none measured yet
    text += "round trip " + std::to_string(us) + " us, ";
  text += std::to_string(to.messages_sent) + " sent, " + std::to_string(to.messages_received) +
          " received";
  if (auto bytes = to.waiting_bytes + to.unacknowledged_bytes; bytes != 0)
    text += ", " + size_text(bytes) + " on their way";
  return text + counted(to.forwarded, "forwarded and not done") +
         counted(to.reconnects, "reconnects") + '\n';
}

std::string text_of(const cluster_status& at) {
  std::string text = "  " + std::to_string(at.in_flight) + " in flight" +
                     counted(at.handling, "of other nodes in work") +
                     counted(at.appending, "appends on their way") +
                     counted(at.held, "held until a component has moved") + '\n';
  if (!at.moving.empty())
    text += "  " + print_text(at.moving) + '\n';
  for (const auto& each : at.followers) {
    text += "  " + print_text(each.name) + "  up to " + std::to_string(each.position) + ", " +
            std::to_string(each.lag) + " events behind";
    text += each.trouble.empty() ? "\n" : ": " + print_text(each.trouble) + '\n';
  }
  for (const auto& each : at.others)
    text += link_text(each);
  return text;
}

}  // namespace

std::string text_of(const std::vector<node_answer>& nodes) {
  std::string text;
  for (const auto& each : nodes) {
    text += print_text(each.node) + "  " + each.address + "  ";
    if (!each.status) {
      text += "not there: " + print_text(each.why) + '\n';
      continue;
    }
    const auto& at = *each.status;
    text += at.hosts.empty() ? std::string{"hosts nothing"} : "hosts " + listed(at.hosts);
    if (!at.waiting.empty())
      text += "  (cannot start yet: " + listed(at.waiting) + ')';
    text += "  journal at " + std::to_string(at.journal_position) + '\n' + text_of(at);
  }
  return text;
}

std::string json_of(const std::vector<node_answer>& nodes) {
  boost::json::array all;
  for (const auto& each : nodes) {
    boost::json::object one{{"node", each.node}, {"address", each.address}};
    one["there"] = each.status.has_value();
    if (each.status)
      one["status"] = boost::json::value_from(*each.status);
    else
      one["why"] = each.why;
    all.push_back(std::move(one));
  }
  return boost::json::serialize(all);
}

}  // namespace tool
