#pragma once

// What nodes say to each other over a link, as values; actors/README.md draws it.
//
// One frame is one message of a link: a byte that says which, then a described struct in the
// encoding of messages/. Decoding trusts nothing: what is wrong comes back as an error, and no more
// memory is taken than the bytes justify. A frame longer than a link takes is sent in fragments.

#include <microlith/actors/cluster_status.hpp>
#include <microlith/messages/codec.hpp>
#include <microlith/messages/envelope.hpp>
#include <microlith/messages/schema.hpp>
#include <microlith/persistence/subscription_store.hpp>

#include <boost/describe.hpp>

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace microlith::internal::wire {

/// Spoken by this program; a peer that speaks another one is told so, and not talked to.
inline constexpr std::uint32_t protocol = 1;

/// The most that is handed to a link at once.
inline constexpr std::size_t max_piece_bytes = std::size_t{256} << 10;
/// The most that is put together from fragments: a journal takes events of 16 MiB.
inline constexpr std::size_t max_frame_bytes = std::size_t{64} << 20;
/// Nodes that a message may come by.
inline constexpr std::size_t max_hops = 64;

enum class kind : std::uint8_t {
  fragment = 1,  ///< a piece of a frame; what follows is in the next one
  last_fragment,
  greeting,
  types,
  routes,
  message,
  published,
  finished,
  failed,
  failed_conversation,
  append,
  append_outcome,
  read,
  page,
  bell,
  placement,
  step,
  step_report,
  operator_question,
  operator_answer,
};

/// Comes first.
struct greeting {
  std::uint32_t protocol = wire::protocol;
  bool has_journal = false;
  message_id journal_epoch;
  std::uint64_t last_position = 0;
};
BOOST_DESCRIBE_STRUCT(greeting, (), (protocol, has_journal, journal_epoch, last_position))

/// A message type of the sender, who calls it by the number from now on.
struct type {
  std::uint32_t number = 0;
  std::uint8_t kind = 0;
  bool holds_secret = false;
  microlith::schema schema;
};
BOOST_DESCRIBE_STRUCT(type, (), (number, kind, holds_secret, schema))

struct types {
  std::vector<type> all;
};
BOOST_DESCRIBE_STRUCT(types, (), (all))

/// What the sender does at this moment; replaces what it said before.
struct routes {
  bool stopping = false;
  bool wants_bell = false;
  std::vector<std::string> serves;  ///< commands and queries
  std::vector<std::string> wants;   ///< events and rejections
  std::vector<std::string> runs;    ///< components that have begun
};
BOOST_DESCRIBE_STRUCT(routes, (), (stopping, wants_bell, serves, wants, runs))

struct facts {
  std::string origin;
  std::string subject;
  std::vector<std::string> roles;
  std::map<std::string, std::string> headers;
  std::vector<std::string> came_by;  ///< nodes before the sender, the newest first

  friend bool operator==(const facts&, const facts&) = default;
};
BOOST_DESCRIBE_STRUCT(facts, (), (origin, subject, roles, headers, came_by))

/// An envelope. Its facts are left out where they are those of what it travels with.
struct envelope {
  message_id id;
  correlation_id correlation;
  message_id causation;
  message_id root;
  wall_time time{};
  std::int64_t remaining_us = -1;  ///< until the deadline; -1: there is none
  std::uint64_t after = 0;
  std::uint16_t depth = 0;
  std::uint64_t position = 0;
  std::uint64_t stream_version = 0;
  std::optional<wire::facts> facts;
  std::uint32_t type = 0;
  bytes body;
};
BOOST_DESCRIBE_STRUCT(envelope, (),
                      (id, correlation, causation, root, time, remaining_us, after, depth, position,
                       stream_version, facts, type, body))

/// What is to be done with a message: one or more of these.
namespace use {
inline constexpr std::uint8_t none = 0;       ///< it is no message: facts, in a published frame
inline constexpr std::uint8_t handle = 1;     ///< the receiver serves it, and says how it ended
inline constexpr std::uint8_t pass = 2;       ///< it may be what a wait is for
inline constexpr std::uint8_t subscribe = 4;  ///< it is for subscribers
}  // namespace use

struct message {
  std::uint8_t use = 0;
  std::uint64_t ticket = 0;  ///< of a message to be handled
  wire::envelope envelope;
};
BOOST_DESCRIBE_STRUCT(message, (), (use, ticket, envelope))

/// A frame of what was published holds messages without facts, one after the other, and before the
/// first of those that share them, and whenever they change, these.
struct published_facts {
  std::uint8_t use = use::none;
  wire::facts facts;
};
BOOST_DESCRIBE_STRUCT(published_facts, (), (use, facts))

struct finished {
  std::uint64_t ticket = 0;
  std::uint64_t position = 0;
};
BOOST_DESCRIBE_STRUCT(finished, (), (ticket, position))

struct failure {
  std::uint8_t kind = 0;
  std::uint8_t certainty = 0;
  std::string text;
  message_id message;
};
BOOST_DESCRIBE_STRUCT(failure, (), (kind, certainty, text, message))

struct failed {
  std::uint64_t ticket = 0;
  wire::failure why;
};
BOOST_DESCRIBE_STRUCT(failed, (), (ticket, why))

/// Something deeper in a conversation has failed, and nobody there deals with it.
struct failed_conversation {
  correlation_id correlation;
  message_id root;
  wire::failure why;
};
BOOST_DESCRIBE_STRUCT(failed_conversation, (), (correlation, root, why))

struct check {
  std::string stream;
  std::uint8_t rule = 0;  ///< 0 any, 1 exists, 2 exactly
  std::uint64_t version = 0;
  message_id built_on;
};
BOOST_DESCRIBE_STRUCT(check, (), (stream, rule, version, built_on))

struct new_event {
  wire::envelope envelope;
  std::string stream;
};
BOOST_DESCRIBE_STRUCT(new_event, (), (envelope, stream))

struct append {
  std::uint64_t ticket = 0;
  message_id id;
  bool answers_command = false;  ///< earlier events of the same command are its answer
  std::string component;         ///< that asks; empty: none does
  std::uint64_t epoch = 0;       ///< in which that began
  // What is being handled: id, correlation, root and facts of its head.
  message_id cause;
  correlation_id correlation;
  message_id root;
  wire::facts facts;
  std::vector<check> checks;
  std::vector<new_event> events;
  std::vector<wire::envelope> rejections;
};
BOOST_DESCRIBE_STRUCT(append, (),
                      (ticket, id, answers_command, component, epoch, cause, correlation, root,
                       facts, checks, events, rejections))

struct append_outcome {
  std::uint64_t ticket = 0;
  std::uint8_t kind = 0;  ///< 0 appended, 1 before, 2 conflict, 3 refused
  std::uint64_t first_position = 0;
  std::uint64_t last_position = 0;
  std::vector<std::uint64_t> stream_versions;  ///< of the events; 0: none
  std::string stream;
  std::string expected;
  std::uint64_t actual = 0;
  std::optional<wire::failure> why;
};
BOOST_DESCRIBE_STRUCT(append_outcome, (),
                      (ticket, kind, first_position, last_position, stream_versions, stream,
                       expected, actual, why))

enum class question : std::uint8_t {
  records,
  stream,
  stream_version,
  append_of,
  position_of,
  conversation,
  types,
  store,
};
BOOST_DESCRIBE_ENUM(question, records, stream, stream_version, append_of, position_of, conversation,
                    types, store)

/// Of what a durable subscription remembers; the functions of subscription_store.
enum class store_action : std::uint8_t {
  look,
  find,
  held,
  positions_of,
  save_checkpoint,
  hold,
  hold_behind,
  failed_again,
  finished,
  replay,
  drop,
};
BOOST_DESCRIBE_ENUM(store_action, look, find, held, positions_of, save_checkpoint, hold,
                    hold_behind, failed_again, finished, replay, drop)

struct store_call {
  store_action what = store_action::look;
  std::string component;  ///< that asks, and the epoch in which it began
  std::uint64_t epoch = 0;
  std::string subscription;
  std::uint8_t start = 0;
  held_key key;
  std::uint64_t position = 0;
  message_id event;
  std::uint64_t number = 0;
  bool flag = false;
  std::vector<std::uint64_t> positions;
  std::vector<held_event> events;
};
BOOST_DESCRIBE_STRUCT(store_call, (),
                      (what, component, epoch, subscription, start, key, position, event, number,
                       flag, positions, events))

struct store_answer {
  std::string note;
  std::uint64_t checkpoint = 0;
  std::uint64_t held_keys = 0;
  std::uint64_t parked_keys = 0;
  std::uint64_t held_events = 0;
  std::uint64_t parked_events = 0;
  std::vector<held_key> keys;
  std::vector<std::uint64_t> positions;
  std::uint64_t number = 0;
  bool flag = false;
};
BOOST_DESCRIBE_STRUCT(store_answer, (),
                      (note, checkpoint, held_keys, parked_keys, held_events, parked_events, keys,
                       positions, number, flag))

/// Asked of the node that has the journal.
struct read {
  std::uint64_t ticket = 0;
  wire::question what = question::records;
  std::uint64_t from = 0;
  std::uint64_t events = 0;
  std::uint64_t bytes = 0;
  std::string stream;
  message_id id;
  std::optional<store_call> store = {};
};
BOOST_DESCRIBE_STRUCT(read, (), (ticket, what, from, events, bytes, stream, id, store))

/// A record as the journal stores it, checksum and all.
struct record {
  std::uint64_t position = 0;
  bytes stored;
};
BOOST_DESCRIBE_STRUCT(record, (), (position, stored))

struct page {
  std::uint64_t ticket = 0;
  std::vector<record> records;
  std::uint64_t next = 0;
  bool end = false;
  std::vector<std::uint64_t> numbers;
  std::vector<microlith::schema> schemas;  ///< of the journal's types, from number 1 on
  std::optional<std::uint8_t> error;       ///< kind of a storage error
  std::string text;
  std::uint64_t error_position = 0;
  std::optional<store_answer> store;
};
BOOST_DESCRIBE_STRUCT(page, (),
                      (ticket, records, next, end, numbers, schemas, error, text, error_position,
                       store))

/// The journal has grown to here.
struct bell {
  std::uint64_t position = 0;
};
BOOST_DESCRIBE_STRUCT(bell, (), (position))

struct placed {
  std::string component;
  std::string node;
  std::uint64_t epoch = 0;
};
BOOST_DESCRIBE_STRUCT(placed, (), (component, node, epoch))

/// Where all components run, as the node that has the journal says.
struct placement {
  std::vector<placed> all;
  std::uint64_t position = 0;  ///< of the journal's last event then
};
BOOST_DESCRIBE_STRUCT(placement, (), (all, position))

/// Of a move; mover.hpp. The node that has the journal asks, the others report.
enum class step : std::uint8_t {
  prepare = 1,  ///< open the projections, catch up; reported as `prepared`
  hold,         ///< send nothing to it; `held` when nothing that was sent is unfinished
  leave,        ///< stop it; `left`
  write,        ///< never sent
  resume,       ///< the move is off
  prepared,
  held,
  left,
  refused,
};

struct move_step {
  std::uint64_t move = 0;
  std::uint8_t what = 0;
  std::string component;
  std::string why;
};
BOOST_DESCRIBE_STRUCT(move_step, (), (move, what, component, why))

/// By the tool: how a node is, or, with a component, that it is to move.
struct operator_question {
  std::uint64_t ticket = 0;
  std::string component;
  std::string to;
};
BOOST_DESCRIBE_STRUCT(operator_question, (), (ticket, component, to))

struct operator_answer {
  std::uint64_t ticket = 0;
  std::optional<std::string> refused;
  cluster_status status;
};
BOOST_DESCRIBE_STRUCT(operator_answer, (), (ticket, refused, status))

template <class T>
[[nodiscard]] bytes frame(kind which, const T& value) {
  bytes out{static_cast<std::byte>(which)};
  encode_to(out, value);
  return out;
}

/// Appends a message. `said` has no body: it comes last, and is written straight to its place.
void append_message(bytes& out, const message& said, const microlith::envelope& of);

}  // namespace microlith::internal::wire
