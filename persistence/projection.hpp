#pragma once

// A projection's definition: which events become which rows. A value; where its rows live is
// projection_store.hpp.
//
//     projection p{"auth.users", 1};
//     p.keeps(users);
//     p.on<user_registered_event>(
//         [](const user_registered_event& e, const event_info& info, write_transaction& t) {
//           users.put(t, e.email, {.role = e.role, .since = info.time});
//         });
//
// Apply functions are called one at a time, in journal order, each event exactly once as far as
// rows are concerned. They must depend on nothing but the event and the rows, or a rebuild would
// differ. An event that cannot be applied (its function throws, it cannot be read, a row's key is
// too long) stops the projection, is skipped with a record, or is tried again, as declared; it
// always shows.

#include <microlith/messages/envelope.hpp>
#include <microlith/messages/message.hpp>
#include <microlith/messages/schema.hpp>
#include <microlith/messages/upcast.hpp>
#include <microlith/persistence/record.hpp>
#include <microlith/persistence/retry_policy.hpp>
#include <microlith/persistence/table.hpp>
#include <microlith/persistence/transaction.hpp>

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

namespace microlith {

/// What an apply function may want to know about an event. Valid while the function runs.
struct event_info {
  std::uint64_t position = 0;
  std::string_view stream;
  std::uint64_t stream_version = 0;
  wall_time time{};
  message_id id;
  correlation_id correlation;
  message_id causation;
  message_id root;
  const record_view* record = nullptr;

  /// Origin, principal and headers; decoded at each call.
  [[nodiscard]] conversation_facts facts() const;
  [[nodiscard]] microlith::principal principal() const { return facts().principal; }
};

class projection {
 public:
  /// Raise the version when the apply functions change what they would write: the rows are then
  /// rebuilt at the next start. Changed tables, keys or row fields are noticed without that.
  projection(std::string name, std::uint16_t version);

  /// Declares tables.
  template <class... Keys, class... Rows>
  projection& keeps(const table<Keys, Rows>&... tables) {
    (add_table(tables.name(), key_text<Keys>::get(), row_fingerprint<Rows>()), ...);
    return *this;
  }

  /// `apply` takes (const Event&, write_transaction&) or (const Event&, const event_info&,
  /// write_transaction&). One function for each type.
  template <event_message Event, class F>
  projection& on(F apply) {
    constexpr bool wants_info =
        std::is_invocable_v<F&, const Event&, const event_info&, write_transaction&>;
    static_assert(
        wants_info || std::is_invocable_v<F&, const Event&, write_transaction&>,
        "an apply function takes (const Event&, const event_info&, write_transaction&) or "
        "(const Event&, write_transaction&)");
    add_handler(
        wire_name<Event>,
        [apply = std::move(apply)](const record_view& record, const event_info& info,
                                   write_transaction& t) mutable -> std::optional<decode_error> {
          auto event = decode_version<Event>(record.type->version, record.body);
          if (!event)
            return event.error();
          if constexpr (wants_info)
            apply(std::as_const(*event), info, t);
          else
            apply(std::as_const(*event), t);
          return std::nullopt;
        });
    return *this;
  }

  /// An event that cannot be applied leaves no row behind, but a record of what it was and why (see
  /// `projection_store::skipped`), and the projection goes on. Otherwise it stops there.
  projection& skips_failures() {
    skips_ = true;
    return *this;
  }

  /// An event that cannot be applied is tried again first, after growing delays, while the
  /// projection waits at it.
  projection& retries_failures(retry_policy how = {}) {
    retries_ = how;
    return *this;
  }

  /// Its rows are written by the commit that writes the event, in the journal's own environment:
  /// whoever sees an event sees its rows, and queries need not wait. An event that it cannot apply
  /// is refused, with all of its append. It makes every append slower, so it is the exception.
  projection& is_inline() {
    inline_ = true;
    return *this;
  }

  using apply_function = std::function<std::optional<decode_error>(
      const record_view&, const event_info&, write_transaction&)>;
  struct handler {
    std::string_view event;  ///< wire name
    apply_function apply;
  };
  struct kept_table {
    std::string name;
    std::string key;
    std::uint64_t row_fingerprint = 0;
  };

  [[nodiscard]] const std::string& name() const { return name_; }
  [[nodiscard]] std::uint16_t version() const { return version_; }
  [[nodiscard]] const std::vector<kept_table>& tables() const { return tables_; }
  [[nodiscard]] const std::vector<handler>& handlers() const { return handlers_; }
  [[nodiscard]] bool inlined() const { return inline_; }
  [[nodiscard]] bool skips() const { return skips_; }
  [[nodiscard]] const std::optional<retry_policy>& retries() const { return retries_; }
  /// Changes when the version, the tables, their keys or rows, or the set of events changes.
  [[nodiscard]] std::uint64_t fingerprint() const;

 private:
  template <class Row>
  static std::uint64_t row_fingerprint() {
    return schema_of<Row>().fingerprint;
  }
  void add_table(std::string_view name, std::string key, std::uint64_t row_fingerprint);
  void add_handler(std::string_view event, apply_function apply);

  std::string name_;
  std::uint16_t version_;
  std::vector<kept_table> tables_;
  std::vector<handler> handlers_;
  bool inline_ = false;
  bool skips_ = false;
  std::optional<retry_policy> retries_;
};

}  // namespace microlith
