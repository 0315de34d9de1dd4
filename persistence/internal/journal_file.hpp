#pragma once

// The journal's LMDB environment: records by position, types, and what the journal knows of itself.
//
// Opening checks what can be checked before LMDB maps the file, and that no commit was lost. One
// thread writes (`write`), any thread reads. Throws lmdb_error from `write`; opening and reading
// give errors as values.

#include <microlith/messages/result.hpp>
#include <microlith/persistence/error.hpp>
#include <microlith/persistence/internal/lmdb.hpp>
#include <microlith/persistence/internal/mapped_tree.hpp>
#include <microlith/persistence/internal/record_layout.hpp>
#include <microlith/persistence/internal/stream_key.hpp>
#include <microlith/persistence/internal/type_registry.hpp>
#include <microlith/persistence/internal/witness.hpp>

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <string>

namespace microlith::internal {

class journal_file {
 public:
  [[nodiscard]] static result<std::unique_ptr<journal_file>, storage_error> open(
      const std::filesystem::path& directory, map_size map, bool sync, unsigned more_tables = 0);
  ~journal_file();

  [[nodiscard]] message_id epoch() const { return epoch_; }
  [[nodiscard]] const name_secret& secret() const { return secret_; }
  [[nodiscard]] type_registry& types() { return types_; }
  [[nodiscard]] const type_registry& types() const { return types_; }
  /// Writes down what the application has declared of its types since, before anybody reads.
  void adopt_types(const type_catalog& catalog);
  [[nodiscard]] const std::filesystem::path& directory() const { return directory_; }
  /// For what is written with the records.
  [[nodiscard]] const environment& env() const { return environment_; }
  /// Durable; any thread.
  [[nodiscard]] std::uint64_t last_position() const {
    return last_position_.load(std::memory_order_acquire);
  }

  /// Lets `last_position` tell of what is committed.
  void publish(std::uint64_t last_position) {
    last_position_.store(last_position, std::memory_order_release);
  }

  /// Records that become durable together, each at the position after the last. Without `commit`
  /// nothing has happened.
  class writing {
   public:
    explicit writing(journal_file& file);
    void add(std::span<const std::byte> record, std::uint64_t checksum);
    /// Also writes the types that are pending. Returns the last position, durable now.
    [[nodiscard]] std::uint64_t commit();
    [[nodiscard]] lmdb_transaction& transaction() { return transaction_; }

   private:
    journal_file& file_;
    lmdb_transaction transaction_;
    std::optional<lmdb_cursor> cursor_;
    std::uint64_t position_;
    std::uint64_t running_hash_;
  };

  /// Views of the records are renewed after this long: an old one keeps the pages of its time from
  /// being used again.
  static constexpr std::chrono::milliseconds oldest_view{100};
  /// So often is looked how old a view is.
  static constexpr std::uint32_t loads_between_looks = 64;

  /// One view of the records, renewed when it gets old; any thread, one at a time.
  class reading {
   public:
    using clock = std::chrono::steady_clock::time_point (*)();

    explicit reading(const journal_file& file, clock now = &std::chrono::steady_clock::now);
    /// The record at a position, which must not be past the last; positions in a row are quick.
    [[nodiscard]] std::optional<storage_error> load(std::uint64_t position, parsed_record& out);

   private:
    void renew_when_old();

    const journal_file& file_;
    lmdb_transaction transaction_;
    mapped_tree records_;
    std::uint64_t at_ = 0;  ///< the position that was found last; 0: none
    std::uint32_t loads_until_look_;
    clock now_;
    std::chrono::steady_clock::time_point began_;
  };

  enum class failed_commit { no_space, unknown };
  /// What came of a commit that threw: nothing, for want of room, or nobody knows.
  [[nodiscard]] failed_commit look_at_failed_commit(const lmdb_error& error) const;

  /// After a write found the map full; see environment::grow.
  [[nodiscard]] bool grow() { return environment_.grow(); }
  [[nodiscard]] bool forget_dead_readers() const { return environment_.forget_dead_readers(); }

  /// Any thread.
  void sync_witness() const { witness_.sync(); }

 private:
  journal_file(const std::filesystem::path& directory, map_size map, bool sync,
               unsigned more_tables);
  [[nodiscard]] std::optional<storage_error> load(const std::optional<witnessed>& seen);
  static void make(const std::filesystem::path& directory, map_size map, bool sync);
  void create();
  [[nodiscard]] storage_error damaged(const std::string& what, std::uint64_t position = 0) const;
  [[nodiscard]] mapped_tree records_in(const lmdb_transaction& t) const;
  void remember_end();
  void keep_slack() const;

  std::filesystem::path directory_;
  environment environment_;
  witness witness_;
  MDB_dbi main_table_ = 0;
  MDB_dbi records_table_ = 0;
  MDB_dbi types_table_ = 0;
  message_id epoch_;
  name_secret secret_{};
  type_registry types_;
  std::uint64_t running_hash_ = 0;
  std::uint64_t page_bytes_ = 0;
  std::atomic<std::uint64_t> last_position_{0};
  std::atomic<std::uint64_t> map_used_bytes_{0};
};

}  // namespace microlith::internal
