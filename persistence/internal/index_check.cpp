#include <microlith/persistence/internal/byte_order.hpp>
#include <microlith/persistence/internal/environment_check.hpp>
#include <microlith/persistence/internal/index_check.hpp>
#include <microlith/persistence/internal/index_layout.hpp>
#include <microlith/persistence/internal/stored_format.hpp>

#include <algorithm>
#include <set>
#include <string>

namespace microlith::internal {

namespace {

constexpr std::string_view index_remedy =
    ". Stop the node and delete the folder `index`: it is then built again";

index_state read_state(const page_file& file, const page_snapshot& seen) {
  auto tree = find_tree(file, seen, "state");
  if (!tree)
    throw page_error{"it has no state"};
  page_cursor cursor{file, seen, *tree};
  if (!cursor.seek(as_key(index_state_key)) ||
      !std::ranges::equal(cursor.key(), as_key(index_state_key)))
    throw page_error{"it has no state"};
  expect_format(cursor.value(), index_format, "it");
  try {
    return decode_state(cursor.value());
  } catch (const index_unusable& error) {
    throw page_error{error.what()};
  }
}

/// What the entries of the index sum up to.
class index_walk {
 public:
  index_walk(const index_state& state, bool with_filter)
      : checkpoint_{state.checkpoint}, reach_{state.reach} {
    for (const auto& run : state.runs)
      runs_.insert("run." + std::to_string(run.level) + "." + std::to_string(run.slot));
    if (with_filter)
      found.filter.add_layers(state.filter_layers);
  }

  void entry(std::string_view table, std::span<const std::byte> key,
             std::span<const std::byte> value) {
    if (table.starts_with("run.")) {
      if (runs_.find(table) == runs_.end())
        return;  // of a merge of runs that is not done
      expect(key.size() == run_key_bytes && value.size() == 8, table);
      found.add_stream(load_id_be<stream_key>(key.data()), load_be<std::uint64_t>(&key[16]),
                       load_le<std::uint64_t>(value.data()));
    } else if (table == "ids") {
      expect(key.size() == id_bytes && value.size() == 8, table);
      if (auto position = load_le<std::uint64_t>(value.data()); !of_open_merge(position))
        found.add_id(load_id_be<message_id>(key.data()), position);
    } else if (table == "appends") {
      expect(key.size() == id_bytes && value.size() == 16, table);
      if (auto first = load_le<std::uint64_t>(value.data()); !of_open_merge(first))
        found.add_append(load_id_be<message_id>(key.data()), first,
                         load_le<std::uint64_t>(&value[8]));
    } else if (table == "correlations") {
      expect(key.size() == correlation_key_bytes && value.empty(), table);
      if (auto position = load_be<std::uint64_t>(&key[16]); !of_open_merge(position))
        found.add_correlation(load_id_be<correlation_id>(key.data()), position);
    } else if (table == "filter") {
      expect(key.size() == 8 &&
                 found.filter.load_page(
                     {load_be<std::uint32_t>(key.data()), load_be<std::uint32_t>(&key[4])}, value),
             table);
    }
  }

  index_digest found;

 private:
  static void expect(bool fine, std::string_view table) {
    if (!fine)
      throw page_error{"an entry of table " + std::string{table} + " has the wrong size"};
  }

  /// Written by a merge that has not ended.
  [[nodiscard]] bool of_open_merge(std::uint64_t position) const {
    return position > checkpoint_ && position <= reach_;
  }

  std::uint64_t checkpoint_;
  std::uint64_t reach_;
  std::set<std::string, std::less<>> runs_;
};

/// Whether all bits of the one are in the other; all the same bits where `exactly`.
bool covers(const stream_filter& whole, const stream_filter& part, bool exactly) {
  if (whole.layer_count() != part.layer_count())
    return !exactly;  // a merge that failed half way adds its streams twice
  bytes left(stream_filter::page_bytes);
  bytes right(stream_filter::page_bytes);
  for (std::uint32_t layer = 0; layer < whole.layer_count(); ++layer) {
    for (std::uint32_t page = 0; page < whole.page_count(layer); ++page) {
      whole.copy_page({layer, page}, left);
      part.copy_page({layer, page}, right);
      for (std::size_t i = 0; i < left.size(); ++i) {
        if ((right[i] & ~left[i]) != std::byte{0} || (exactly && left[i] != right[i]))
          return false;
      }
    }
  }
  return true;
}

void compare(const index_digest& expected, const index_digest& found, std::uint64_t filter_added) {
  auto same = [](const char* table, const index_digest::sum& should, const index_digest::sum& is) {
    if (should != is)
      throw page_error{"its entries of " + std::string{table} + " (" + std::to_string(is.entries) +
                       ") are not what the events give (" + std::to_string(should.entries) + ")"};
  };
  same("streams", expected.streams, found.streams);
  same("message ids", expected.ids, found.ids);
  same("appends", expected.appends, found.appends);
  same("conversations", expected.correlations, found.correlations);
  if (!covers(found.filter, expected.filter, filter_added == expected.filter.added()))
    throw page_error{"its filter is not that of its streams"};
}

}  // namespace

std::optional<std::uint64_t> index_checkpoint(const std::filesystem::path& directory) {
  try {
    page_file file{directory / "data.mdb"};
    for (unsigned attempt = 0; attempt < 10; ++attempt) {
      auto seen = file.look();
      if (!seen)
        return std::nullopt;
      auto state = read_state(file, *seen);
      if (file.intact(*seen))
        return state.checkpoint;
    }
  } catch (const std::exception&) {
    // Said by `check_index`.
  }
  return std::nullopt;
}

void check_index(const std::filesystem::path& directory, message_id epoch,
                 std::uint64_t last_position, index_digest& expected,
                 const std::function<bool(std::uint64_t)>& extend,
                 const std::function<void(finding)>& found, verify_report& report) {
  auto file_name = directory / "data.mdb";
  std::error_code error;
  if (!std::filesystem::exists(file_name, error)) {
    found({false, "index", "there is none; it is built at the next start"});
    return;
  }
  page_file file{file_name};
  bool foreign = false;
  bool unread = false;
  auto result = check_steadily(file, [&](const page_snapshot& seen, environment_check& check) {
    foreign = unread = false;
    auto state = read_state(file, seen);
    foreign = state.epoch != epoch;
    if (!foreign && state.reach > last_position)
      throw page_error{"it is ahead of the journal: it knows event " + std::to_string(state.reach) +
                       ", and the journal ends at event " + std::to_string(last_position)};
    unread = !foreign && !extend(state.checkpoint);
    bool compared = !foreign && !unread;
    // A merge that failed half way adds its streams twice, and may so begin a layer.
    if (compared && state.filter_layers > expected.filter.layer_count() + 1)
      throw page_error{"its filter has too many layers"};
    index_walk walk{state, compared};
    check.walk([&](std::string_view table, std::span<const std::byte> key,
                   std::span<const std::byte> value) {
      if (compared)
        walk.entry(table, key, value);
    });
    check.account();
    if (!compared)
      return;
    compare(expected, walk.found, state.filter_added);
    report.index_entries = walk.found.streams.entries + walk.found.ids.entries +
                           walk.found.appends.entries + walk.found.correlations.entries;
  });
  if (!result.problem.empty())
    found({true, "index",
           "the index in " + directory.string() + " is damaged: " + result.problem +
               std::string{index_remedy}});
  else if (result.overtaken)
    found({false, "index", "the node merges it too quickly to be looked at: verify again"});
  else if (foreign)
    found({false, "index", "it belongs to another journal, and is built again at the next start"});
  else if (unread)
    found({false, "index", "its entries were not compared with the events, which are damaged"});
}

}  // namespace microlith::internal
