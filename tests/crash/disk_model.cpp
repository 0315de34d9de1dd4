#include "crash/disk_model.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <stdexcept>

namespace microlith::test {

namespace {

/// 0: what is durable; `pending`: the newest.
std::size_t choose(std::size_t pending, survivors kept, std::mt19937_64& random) {
  auto any = [&] { return std::uniform_int_distribution<std::size_t>{0, pending}(random); };
  auto rarely = [&] { return random() % 8 == 0; };
  switch (kept) {
    case survivors::none:
      return 0;
    case survivors::all:
      return pending;
    case survivors::few:
      return rarely() ? any() : 0;
    case survivors::most:
      return rarely() ? any() : pending;
    case survivors::some:
    case survivors::writes:
      break;
  }
  return any();
}

/// Whether a write survives as a whole: the same answer for all its sectors.
bool survives(std::uint64_t write, std::uint64_t salt) {
  auto mixed = (write + salt) * 0x9E3779B97F4A7C15ULL;
  return ((mixed ^ (mixed >> 31)) & 1) != 0;
}

}  // namespace

const char* to_string(survivors kept) {
  constexpr const char* names[]{"none", "all", "some", "few", "most", "writes"};
  return names[static_cast<std::size_t>(kept)];
}

void disk_model::apply(const disk_operation& operation) {
  using kind = disk_operation::kind;
  switch (operation.what) {
    case kind::write:
      ++writes_;
      write(files_[operation.node], operation.offset, operation.data);
      break;
    case kind::resize: {
      auto& resized = files_[operation.node];
      for (auto& [number, content] : resized.sectors) {
        if (number * sector_bytes >= operation.offset)
          content.pending.push_back({++writes_, nullptr});
      }
      resized.size.pending.push_back(operation.offset);
      break;
    }
    case kind::sync: {
      auto& synced = files_[operation.node];
      synced.size.sync();
      for (auto& [number, content] : synced.sectors)
        content.sync();
      break;
    }
    case kind::sync_written: {
      // The size goes along as far as these bytes need it.
      auto& synced = files_[operation.node];
      auto end = operation.offset + operation.length;
      synced.size.durable = std::max(synced.size.durable, end);
      std::erase_if(synced.size.pending, [&](auto size) { return size <= synced.size.durable; });
      for (auto at = operation.offset / sector_bytes; at * sector_bytes < end; ++at)
        synced.sectors[at].sync();
      break;
    }
    case kind::link:
      files_[operation.node].is_directory |= operation.is_directory;
      entries_[operation.path].pending.push_back(operation.node);
      break;
    case kind::unlink:
      entries_[operation.path].pending.push_back(0);
      break;
    case kind::sync_directory:
      for (auto& [path, entry] : entries_) {
        if (std::filesystem::path{path}.parent_path() == operation.path)
          entry.sync();
      }
      break;
    case kind::mark:
      break;
  }
}

void disk_model::write(file& to, std::uint64_t offset, const std::vector<std::byte>& data) {
  for (std::size_t done = 0; done < data.size();) {
    auto at = offset + done;
    auto within = at % sector_bytes;
    auto size = std::min(sector_bytes - within, data.size() - done);
    auto& content = to.sectors[at / sector_bytes];
    auto changed = std::make_shared<sector>();
    if (const auto& before = content.newest().content)
      *changed = *before;
    std::copy_n(data.begin() + static_cast<std::ptrdiff_t>(done), size,
                changed->begin() + static_cast<std::ptrdiff_t>(within));
    content.pending.push_back({writes_, std::move(changed)});
    done += size;
  }
  if (offset + data.size() > to.size.newest())
    to.size.pending.push_back(offset + data.size());
}

bool disk_model::is_uncertain() const {
  auto any = [](const auto& histories) {
    return std::any_of(histories.begin(), histories.end(),
                       [](const auto& one) { return !one.second.pending.empty(); });
  };
  return any(entries_) || std::any_of(files_.begin(), files_.end(), [&](const auto& one) {
           return !one.second.size.pending.empty() || any(one.second.sectors);
         });
}

void disk_model::wake_up(const std::filesystem::path& root, survivors kept,
                         std::mt19937_64& random) const {
  // In the order of their paths, so that a directory comes before what lies in it.
  for (const auto& [path, entry] : entries_) {
    auto chosen = choose(entry.pending.size(), kept, random);
    auto node = chosen == 0 ? entry.durable : entry.pending[chosen - 1];
    auto to = root / path;
    if (node == 0 || !std::filesystem::exists(to.parent_path()))
      continue;
    const auto& found = files_.at(node);
    if (found.is_directory)
      std::filesystem::create_directory(to);
    else
      make_file(found, to, kept, random);
  }
}

void disk_model::make_file(const file& from, const std::filesystem::path& path, survivors kept,
                           std::mt19937_64& random) const {
  auto which = choose(from.size.pending.size(), kept, random);
  auto size = which == 0 ? from.size.durable : from.size.pending[which - 1];
  int fd = ::open(path.c_str(), O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  if (fd < 0 || ::ftruncate(fd, static_cast<off_t>(size)) != 0)
    throw std::runtime_error{"cannot make " + path.string()};
  auto salt = random();
  for (const auto& [number, content] : from.sectors) {
    const version* chosen = &content.durable;
    if (kept == survivors::writes) {
      for (const auto& later : content.pending) {
        if (survives(later.write, salt))
          chosen = &later;
      }
    } else if (auto later = choose(content.pending.size(), kept, random); later != 0) {
      chosen = &content.pending[later - 1];
    }
    auto begin = number * sector_bytes;
    if (chosen->content == nullptr || begin >= size)
      continue;
    auto length = std::min<std::uint64_t>(sector_bytes, size - begin);
    if (::pwrite(fd, chosen->content->data(), length, static_cast<off_t>(begin)) !=
        static_cast<ssize_t>(length))
      throw std::runtime_error{"cannot write " + path.string()};
  }
  ::close(fd);
}

}  // namespace microlith::test
