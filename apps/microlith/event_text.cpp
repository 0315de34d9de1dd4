#include "microlith/event_text.hpp"

#include <microlith/messages/print.hpp>
#include <microlith/messages/time_text.hpp>

namespace tool {

using microlith::print_text;
using microlith::time_text;

std::string event_line(const microlith::record_view& record) {
  auto line = std::to_string(record.position) + "  " + time_text(record.time) + "  " +
              print_text(record.type->name);
  if (!record.stream.empty())
    line += "  " + print_text(record.stream) + " #" + std::to_string(record.stream_version);
  return line;
}

boost::json::object event_json(const microlith::record_view& record) {
  boost::json::object out;
  out["position"] = record.position;
  out["time"] = time_text(record.time);
  out["type"] = record.type->name;
  out["type_version"] = record.type->version;
  if (!record.stream.empty()) {
    out["stream"] = record.stream;
    out["stream_version"] = record.stream_version;
  }
  out["id"] = to_string(record.id);
  out["correlation"] = to_string(record.correlation);
  for (auto [name, id] : {std::pair{"causation", record.causation},
                          {"root", record.root},
                          {"append", record.append}}) {
    if (!id.empty())
      out[name] = to_string(id);
  }
  out["depth"] = record.depth;
  return out;
}

}  // namespace tool
