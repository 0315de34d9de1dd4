#pragma once

// A typed table of a projection: rows of any described struct, by an order-preserving key.
//
//     inline const table<std::string, user_row> users{"users"};
//     users.put(t, event.email, {.role = event.role});
//     if (auto row = users.get(t, email)) …
//
// A table is only a name with types: cheap to copy, constant, any thread. Where the rows are is the
// business of the transaction; the projection must `keep` the table.

#include <microlith/messages/codec.hpp>
#include <microlith/persistence/error.hpp>
#include <microlith/persistence/key.hpp>
#include <microlith/persistence/transaction.hpp>

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <utility>

namespace microlith {

namespace internal {

[[noreturn]] void refuse_row(std::string_view table, const std::string& why);

}  // namespace internal

template <key_type Key, class Row>
class table {
 public:
  using key = Key;
  using row = Row;

  /// `name` must outlive the table: a literal.
  constexpr explicit table(std::string_view name) : name_{name} {}

  [[nodiscard]] constexpr std::string_view name() const { return name_; }

  [[nodiscard]] std::optional<Row> get(const read_transaction& t, const Key& key) const {
    auto raw = t.get(name_, encode_key(key).view());
    if (!raw)
      return std::nullopt;
    return read_row(*raw);
  }

  [[nodiscard]] bool contains(const read_transaction& t, const Key& key) const {
    return t.get(name_, encode_key(key).view()).has_value();
  }

  /// Writes or replaces.
  void put(write_transaction& t, const Key& key, const Row& row) const {
    auto& buffer = t.scratch();
    encode_to(buffer, row);
    t.put(name_, encode_key(key).view(), buffer);
  }

  /// Changes the row in place where there is one; whether there was.
  template <class Change>
  bool update(write_transaction& t, const Key& key, Change change) const {
    auto row = get(t, key);
    if (!row)
      return false;
    change(*row);
    put(t, key, *row);
    return true;
  }

  /// Whether there was one.
  bool erase(write_transaction& t, const Key& key) const {
    return t.erase(name_, encode_key(key).view());
  }

  [[nodiscard]] std::uint64_t count(const read_transaction& t) const { return t.count(name_); }

  /// All rows, in order of keys. The visitor takes (const Key&, const Row&); it may return false to
  /// end the scan.
  template <class Visitor>
  void for_each(const read_transaction& t, Visitor&& visit) const {
    scan(t, {}, std::nullopt, visit);
  }

  /// Rows with `from <= key < to`.
  template <class Visitor>
  void range(const read_transaction& t, const Key& from, const Key& to, Visitor&& visit) const {
    auto first = encode_key(from);
    auto end = encode_key(to);
    scan(t, first.view(), end.view(), visit);
  }

  /// Rows with `from <= key`.
  template <class Visitor>
  void from(const read_transaction& t, const Key& from, Visitor&& visit) const {
    auto first = encode_key(from);
    scan(t, first.view(), std::nullopt, visit);
  }

  /// Rows whose key begins with these members; for tables with tuple keys.
  template <class Visitor, key_type... Members>
  void with_prefix(const read_transaction& t, const std::tuple<Members...>& prefix,
                   Visitor&& visit) const {
    auto first = encode_key(prefix);
    t.scan(name_, first.view(), std::nullopt,
           [&](std::span<const std::byte> raw_key, std::span<const std::byte> raw_row) {
             auto begin = first.view();
             if (raw_key.size() < begin.size() ||
                 std::memcmp(raw_key.data(), begin.data(), begin.size()) != 0)
               return false;
             return visit_row(visit, raw_key, raw_row);
           });
  }

  /// Rows with `from <= key < to` from the last to the first; all of them without bounds.
  template <class Visitor>
  void backwards(const read_transaction& t, const std::optional<Key>& from,
                 const std::optional<Key>& to, Visitor&& visit) const {
    auto first = from ? encode_key(*from) : key_buffer{};
    auto end = to ? encode_key(*to) : key_buffer{};
    t.scan_back(name_, first.view(), to ? std::optional{end.view()} : std::nullopt,
                [&](std::span<const std::byte> raw_key, std::span<const std::byte> raw_row) {
                  return visit_row(visit, raw_key, raw_row);
                });
  }

 private:
  template <class Visitor>
  void scan(const read_transaction& t, std::span<const std::byte> from,
            std::optional<std::span<const std::byte>> to, Visitor& visit) const {
    t.scan(name_, from, to,
           [&](std::span<const std::byte> raw_key, std::span<const std::byte> raw_row) {
             return visit_row(visit, raw_key, raw_row);
           });
  }

  template <class Visitor>
  bool visit_row(Visitor& visit, std::span<const std::byte> raw_key,
                 std::span<const std::byte> raw_row) const {
    Key key{};
    if (!decode_key(raw_key, key))
      internal::refuse_row(name_, "a key has another layout");
    if constexpr (std::is_void_v<std::invoke_result_t<Visitor&, const Key&, const Row&>>) {
      visit(std::as_const(key), read_row(raw_row));
      return true;
    } else {
      return visit(std::as_const(key), read_row(raw_row));
    }
  }

  [[nodiscard]] Row read_row(std::span<const std::byte> raw) const {
    auto row = decode<Row>(raw);
    if (!row)
      internal::refuse_row(name_, to_string(row.error()));
    return std::move(*row);
  }

  std::string_view name_;
};

}  // namespace microlith
