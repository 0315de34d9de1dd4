#pragma once

// Records that a journal of another process has stored, verified and read here.
//
// Knows that journal's types by their numbers. Learning has one caller at a time; reading may be
// done by any thread meanwhile.

#include <microlith/messages/result.hpp>
#include <microlith/persistence/error.hpp>
#include <microlith/persistence/record.hpp>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

namespace microlith {

class foreign_records {
 public:
  foreign_records();
  ~foreign_records();
  foreign_records(const foreign_records&) = delete;
  foreign_records& operator=(const foreign_records&) = delete;

  /// In the order of their numbers, from 1 on; what is known already is passed over. False where
  /// one is missing.
  [[nodiscard]] bool learn(std::vector<stored_type> types);
  [[nodiscard]] std::vector<stored_type> types() const;

  /// The record in `stored`, which must outlive the view; an error where it is damaged. The view
  /// has no type where its number has not been learned.
  [[nodiscard]] result<record_view, storage_error> read(std::uint64_t position,
                                                        std::span<const std::byte> stored) const;

 private:
  class state;
  std::unique_ptr<state> state_;
};

}  // namespace microlith
