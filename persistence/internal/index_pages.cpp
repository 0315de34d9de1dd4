#include <microlith/persistence/internal/index_pages.hpp>

#include <algorithm>
#include <string>
#include <utility>

namespace microlith::internal {

namespace {

// Each follows a look that was overtaken by two commits of a merge, which are far apart.
constexpr unsigned index_attempts = 100;

}  // namespace

index_pages::index_pages(std::filesystem::path directory, message_id epoch)
    : directory_{std::move(directory)}, epoch_{epoch} {
  refresh();
}

void index_pages::refresh() {
  state_.reset();
  try {
    // By its name each time: a node that starts may have made it anew.
    file_ = std::make_unique<page_file>(directory_ / "data.mdb");
    for (unsigned attempt = 0; attempt < index_attempts; ++attempt) {
      state_.reset();
      try {
        look();
      } catch (const page_error&) {
        state_.reset();
        if (file_->intact(snapshot_))
          return;
      }
      if (file_->intact(snapshot_))
        return;
    }
  } catch (const std::exception&) {
    // There is none that can be read.
  }
  state_.reset();
}

void index_pages::look() {
  auto seen = file_->look();
  if (!seen)
    throw page_file_error{EINVAL, "read the index"};
  snapshot_ = *seen;
  auto states = table("state");
  if (!states)
    return;
  page_cursor cursor{*file_, snapshot_, *states};
  if (!cursor.seek(as_key(index_state_key)) ||
      !std::ranges::equal(cursor.key(), as_key(index_state_key)))
    return;
  auto state = decode_state(cursor.value());
  if (state.epoch == epoch_)
    state_ = std::move(state);
}

std::optional<page_tree> index_pages::table(std::string_view name) {
  return find_tree(*file_, snapshot_, name);
}

template <class Read>
auto index_pages::reading(Read read) -> std::optional<decltype(read())> {
  for (unsigned attempt = 0; state_ && attempt < index_attempts; ++attempt) {
    try {
      auto found = read();
      if (file_->intact(snapshot_))
        return found;
    } catch (const page_error&) {
      if (file_->intact(snapshot_))
        break;
    } catch (const page_file_error&) {
      break;
    }
    refresh();
  }
  state_.reset();
  return std::nullopt;
}

std::optional<std::vector<std::uint64_t>> index_pages::conversation(correlation_id correlation,
                                                                    std::uint64_t after,
                                                                    std::size_t limit) {
  return reading([&] {
    std::vector<std::uint64_t> found;
    auto tree = table("correlations");
    if (!tree)
      return found;
    std::array<std::byte, correlation_key_bytes> start;
    store_id_be(start.data(), correlation);
    store_be(start.data() + id_bytes, after + 1);
    page_cursor cursor{*file_, snapshot_, *tree};
    for (bool more = cursor.seek(start); more && found.size() < limit; more = cursor.next()) {
      auto key = cursor.key();
      if (key.size() != correlation_key_bytes ||
          std::memcmp(key.data(), start.data(), id_bytes) != 0)
        break;
      auto position = load_be<std::uint64_t>(key.data() + id_bytes);
      // What follows is of a merge that has not ended.
      if (position > state_->checkpoint)
        break;
      found.push_back(position);
    }
    return found;
  });
}

std::optional<std::vector<std::uint64_t>> index_pages::stream(const stream_key& stream,
                                                              std::uint64_t from_version,
                                                              std::size_t limit) {
  return reading([&] {
    // A stream's versions lie in several runs, in no order of these that is known here.
    std::vector<std::uint64_t> found;
    auto start = key_of(stream, from_version);
    for (const auto& run : state_->runs) {
      auto tree = table("run." + std::to_string(run.level) + '.' + std::to_string(run.slot));
      if (!tree)
        continue;
      page_cursor cursor{*file_, snapshot_, *tree};
      std::size_t of_run = 0;
      for (bool more = cursor.seek(start); more && of_run < limit; more = cursor.next(), ++of_run) {
        if (!same_stream(cursor.key(), start))
          break;
        auto value = cursor.value();
        if (value.size() != 8)
          throw page_error{"an entry of a run has the wrong size"};
        found.push_back(load_le<std::uint64_t>(value.data()));
      }
    }
    // In the order of positions, which is that of versions.
    std::sort(found.begin(), found.end());
    if (found.size() > limit)
      found.resize(limit);
    return found;
  });
}

std::optional<std::uint64_t> index_pages::position_of(message_id event) {
  return reading([&]() -> std::uint64_t {
    auto tree = table("ids");
    auto key = id_key(event);
    if (!tree)
      return 0;
    page_cursor cursor{*file_, snapshot_, *tree};
    if (!cursor.seek(key) || !std::ranges::equal(cursor.key(), key))
      return 0;
    auto value = cursor.value();
    auto position = value.size() == 8 ? load_le<std::uint64_t>(value.data()) : 0;
    return position <= state_->checkpoint ? position : 0;
  });
}

std::optional<append_positions> index_pages::append_of(message_id append) {
  return reading([&]() -> append_positions {
    auto tree = table("appends");
    auto key = id_key(append);
    if (!tree)
      return {};
    page_cursor cursor{*file_, snapshot_, *tree};
    if (!cursor.seek(key) || !std::ranges::equal(cursor.key(), key))
      return {};
    auto value = cursor.value();
    if (value.size() != 16)
      throw page_error{"an entry of appends has the wrong size"};
    append_positions found{load_le<std::uint64_t>(value.data()), load_le<std::uint64_t>(&value[8])};
    return found.first <= state_->checkpoint ? found : append_positions{};
  });
}

}  // namespace microlith::internal
