// Pages in the middle of large tables beside the records: LMDB would follow what is on them, and
// die of it.

#include "persistence/child.hpp"
#include "persistence/data_files.hpp"
#include "persistence/samples.hpp"
#include "persistence/thing_rows.hpp"
#include "support/temporary_directory.hpp"

#include <microlith/persistence/internal/page_file.hpp>
#include <microlith/persistence/internal/page_guard.hpp>
#include <microlith/persistence/internal/page_layout.hpp>
#include <microlith/persistence/internal/tree_page.hpp>
#include <microlith/persistence/memory_journal.hpp>
#include <microlith/persistence/snapshot_store.hpp>
#include <microlith/persistence/subscription_store.hpp>
#include <microlith/persistence/verify.hpp>

#include <boost/test/unit_test.hpp>

#include <cstdint>
#include <cstring>
#include <functional>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace {

using namespace microlith;
using namespace sample;
namespace layout = microlith::internal::page_layout;

constexpr std::size_t page_bytes = 4096;
constexpr std::uint32_t many = 9'000;

std::uint16_t& short_at(std::string& content, std::size_t at) {
  return *reinterpret_cast<std::uint16_t*>(content.data() + at);
}

std::size_t entry_at(std::string& content, std::uint64_t page, std::size_t index) {
  return page * page_bytes + short_at(content, page * page_bytes + layout::head_bytes + 2 * index);
}

/// A leaf in the middle of a table that is too large to be looked at when it is opened.
std::uint64_t middle_leaf(const fs::path& file, std::string_view table) {
  internal::page_file pages{file};
  auto tree = internal::find_tree(pages, pages.look().value(), table);
  BOOST_REQUIRE((tree && tree->depth >= 2 && tree->pages() > 64));
  auto content = bytes_of(file);
  auto page = tree->root;
  for (auto depth = tree->depth; --depth > 0;) {
    auto lower = short_at(content, page * page_bytes + layout::bounds_at);
    auto entries = (lower - layout::head_bytes) / 2;
    page = layout::child_of(
        reinterpret_cast<const std::byte*>(&content[entry_at(content, page, entries / 2)]));
  }
  return page;
}

std::size_t entries_of(std::string& content, std::uint64_t page) {
  return (short_at(content, page * page_bytes + layout::bounds_at) - layout::head_bytes) / 2U;
}

std::span<const std::byte> key_at(std::string& content, std::uint64_t page, std::size_t index) {
  auto at = entry_at(content, page, index);
  return std::as_bytes(
      std::span{&content[at + layout::node_head_bytes], short_at(content, at + 6)});
}

/// Whole, with its own number, of such entries as it had, and of keys that are looked for
/// elsewhere.
void put_another_leaf(std::string& content, std::uint64_t page) {
  auto entries = entries_of(content, page);
  for (std::uint64_t other = 2; other < content.size() / page_bytes; ++other) {
    if (short_at(content, other * page_bytes + layout::page_flags_at) != layout::leaf_flag ||
        entries_of(content, other) < entries / 2 || entries_of(content, other) > entries * 2 ||
        key_at(content, other, 0).size() != key_at(content, page, 0).size())
      continue;
    auto last = entries_of(content, other) - 1;
    if (internal::compare_keys(key_at(content, other, 0), key_at(content, page, entries - 1)) <=
            0 &&
        internal::compare_keys(key_at(content, other, last), key_at(content, page, 0)) >= 0)
      continue;
    constexpr auto number_bytes = sizeof(std::uint64_t);
    std::memcpy(&content[page * page_bytes + number_bytes],
                &content[other * page_bytes + number_bytes], page_bytes - number_bytes);
    return;
  }
  BOOST_FAIL("there is no other leaf");
}

struct damage {
  const char* what;
  std::function<void(std::string& content, std::uint64_t page)> inflict;
};

/// What LMDB does not survive, or follows to somewhere else.
const std::vector<damage>& damages() {
  static const std::vector<damage> all{
      {"another page's number", [](auto& c, auto page) { c[page * page_bytes] ^= 0x40; }},
      {"a branch",
       [](auto& c, auto page) { short_at(c, page * page_bytes + layout::page_flags_at) = 0x01; }},
      {"no flags",
       [](auto& c, auto page) { short_at(c, page * page_bytes + layout::page_flags_at) = 0; }},
      {"no entries",
       [](auto& c, auto page) { short_at(c, page * page_bytes + layout::bounds_at) = 16; }},
      {"bounds that lead out of it",
       [](auto& c, auto page) { short_at(c, page * page_bytes + layout::bounds_at) = 0xFFF0; }},
      {"an entry behind its end",
       [](auto& c, auto page) { short_at(c, page * page_bytes + layout::head_bytes) = 0xFFF0; }},
      {"a key that leads out of it",
       [](auto& c, auto page) { short_at(c, entry_at(c, page, 1) + 6) = 0x7FFF; }},
      {"a value that leads out of it",
       [](auto& c, auto page) { short_at(c, entry_at(c, page, 1) + 2) = 0x7FFF; }},
      {"duplicates", [](auto& c, auto page) { short_at(c, entry_at(c, page, 1) + 4) = 0x04; }},
      {"a long value that is nowhere",
       [](auto& c, auto page) { short_at(c, entry_at(c, page, 1) + 4) = 0x01; }},
      {"another leaf", put_another_leaf},
      {"zeros", [](auto& c, auto page) { std::memset(&c[page * page_bytes], 0, page_bytes); }},
      {"noise", [](auto& c, auto page) { std::memset(&c[page * page_bytes], 0xA5, page_bytes); }},
  };
  return all;
}

/// Damages a leaf of a table in every way: `survives` runs in a process of its own, and
/// `afterwards` when that has ended without a signal.
template <class Survives, class Afterwards>
void damaged_everywhere(const fs::path& folder, std::string_view table, Survives survives,
                        Afterwards afterwards) {
  auto file = folder / "data.mdb";
  const auto whole = bytes_of(file);
  auto page = middle_leaf(file, table);
  for (const auto& each : damages()) {
    BOOST_TEST_CONTEXT(each.what) {
      auto content = whole;
      each.inflict(content, page);
      // What opening has thrown away is made again.
      fs::create_directories(folder);
      fs::remove(folder / internal::damage_mark);
      overwrite(file, content);
      BOOST_TEST(in_child(survives));
      BOOST_TEST(fs::exists(folder / internal::damage_mark));
      BOOST_TEST((fs::status(folder / internal::damage_mark).permissions() == fs::perms{0600}));
      afterwards();
    }
  }
}

bool tells(const std::string& text, std::string_view part) {
  if (text.find(part) != std::string::npos)
    return true;
  std::fprintf(stderr, "without \"%s\": %s\n", std::string{part}.c_str(), text.c_str());
  return false;
}

std::string stream_of(std::uint32_t number) {
  return "s" + std::to_string(number % (many / 3));
}

struct indexed_journal {
  indexed_journal() {
    auto j = open_journal(options());
    for (std::uint32_t i = 0; i < many; i += 100) {
      append_request request;
      request.id = message_id::make();
      for (std::uint32_t n = i; n < i + 100; ++n) {
        request.events.push_back({made(stream_of(n)), stream_of(n)});
        ids.push_back(request.events.back().message.head().id);
      }
      append_ok(*j, request);
    }
    BOOST_TEST(j->merge_now().has_value());
  }
  [[nodiscard]] journal_options options() const {
    return {.directory = directory.path(),
            .merge_threshold = many,
            .merge_in_background = false,
            .sync = false};
  }

  test::temporary_directory directory;
  std::vector<message_id> ids;
};

const message_id an_epoch{1, 2};

}  // namespace

BOOST_AUTO_TEST_SUITE(page_guard)

BOOST_AUTO_TEST_CASE(a_damaged_page_of_the_index_is_an_error_and_the_next_start_builds_it_again) {
  indexed_journal made;
  auto looks_everywhere = [&] {
    auto j = open_journal(made.options());
    std::size_t errors = 0;
    for (std::uint32_t i = 0; i < many; i += 11) {
      auto found = j->position_of(made.ids[i]);
      if (found && found->value() != i + 1)
        return false;
      errors += found ? 0 : 1;
      if (!found && !tells(found.error().text, "start it again"))
        return false;
    }
    for (std::uint32_t i = 0; i < many / 3; i += 3) {
      auto version = j->stream_version(stream_of(i));
      if (version && *version < 3)
        return false;
      errors += version ? 0 : 1;
      if (i % 10 != 0)
        continue;
      auto outcome = append_one(*j, to_stream(stream_of(i)));
      if (auto* refused = std::get_if<append_refused>(&outcome))
        errors += tells(refused->why.text, "start it again") ? 1 : 0;
    }
    auto merged = j->merge_now();
    return errors + (merged ? 0 : 1) > 0;
  };
  auto everything_is_found = [&] {
    auto j = open_journal(made.options());
    for (std::uint32_t i = 0; i < many; i += 7)
      BOOST_TEST_REQUIRE(j->position_of(made.ids[i])->value() == i + 1);
    BOOST_TEST(j->stream_version("s1").value() >= 3U);
    BOOST_TEST(!fs::exists(made.directory.path() / "index" / internal::damage_mark));
  };
  auto journal_file = made.directory.path() / "journal" / "data.mdb";
  auto witness = made.directory.path() / "journal" / "witness";
  const auto records = bytes_of(journal_file);
  const auto seen = bytes_of(witness);
  for (const char* table : {"ids", "run.0.0"}) {
    damaged_everywhere(made.directory.path() / "index", table, looks_everywhere, [&] {
      everything_is_found();
      overwrite(journal_file, records);
      overwrite(witness, seen);
    });
  }
}

BOOST_AUTO_TEST_CASE(a_damaged_page_of_rows_is_an_error_and_the_next_start_fills_them_again) {
  test::temporary_directory directory;
  auto source = make_memory_journal();
  auto open = [&] {
    auto opened = projection_store::open(thing_rows(),
                                         {.directory = directory.path(), .sync = false}, *source);
    BOOST_REQUIRE(opened);
    return std::move(*opened);
  };
  auto name_of = [](std::uint32_t i) { return "a thing with the number " + std::to_string(i); };
  auto make_all = [&](std::uint32_t size) {
    append_request request;
    for (std::uint32_t i = 0; i < many; ++i)
      request.events.push_back({made(name_of(i), size), ""});
    append_ok(*source, request);
  };
  make_all(1);
  BOOST_TEST(open()->catch_up(*source).has_value());
  auto rows_of = [&](const projection_store& store) {
    std::uint64_t size = 0;
    store.read([&](const read_transaction& t) {
      things.for_each(t, [&](const std::string&, const thing_row& row) { size += row.size; });
    });
    return size;
  };
  auto error_of = [](auto f) -> std::string {
    try {
      f();
    } catch (const storage_exception& error) {
      return error.what();
    }
    return {};
  };
  auto looks_everywhere = [&] {
    auto store = open();
    auto scan = error_of([&] { (void)rows_of(*store); });
    std::string get;
    for (std::uint32_t i = 0; i < many && get.empty(); i += 10) {
      get = error_of([&] {
        store->read([&](const read_transaction& t) {
          if (things.get(t, name_of(i)).value().size != 1)
            std::abort();
        });
      });
    }
    auto back = error_of([&] {
      store->read([&](const read_transaction& t) {
        things.backwards(t, {}, {}, [](const std::string&, const thing_row&) {});
      });
    });
    for (const auto& text : {scan, get, back}) {
      if (!tells(text, "start it again") || !tells(text, directory.path().string()))
        return false;
    }
    make_all(2);
    auto caught_up = store->catch_up(*source);
    return !caught_up && tells(caught_up.error().text, "start it again") &&
           tells(caught_up.error().text, directory.path().string());
  };
  damaged_everywhere(directory.path() / "projections" / "sample.things", "a.things",
                     looks_everywhere, [&] {
                       auto store = open();
                       BOOST_TEST(store->checkpoint() == 0U);
                       BOOST_TEST(store->catch_up(*source).has_value());
                       BOOST_TEST(rows_of(*store) == many);
                     });
}

BOOST_AUTO_TEST_CASE(a_damaged_page_of_snapshots_is_as_if_there_was_none) {
  test::temporary_directory directory;
  auto open = [&] {
    auto opened = snapshot_store::open({.directory = directory.path(), .sync = false}, an_epoch);
    BOOST_REQUIRE(opened);
    return std::move(*opened);
  };
  std::vector<snapshot> all;
  for (std::uint32_t i = 0; i < many / 4; ++i)
    all.push_back({.stream = stream_of(i),
                   .version = i + 1,
                   .event = an_epoch,
                   .fingerprint = 7,
                   // Some are too long for a page that holds others.
                   .state = bytes(i % 5 == 0 ? 3'000 : 100)});
  BOOST_TEST(open()->put(all).has_value());
  auto looks_everywhere = [&] {
    auto store = open();
    std::size_t missing = 0;
    for (const auto& each : all) {
      auto found = store->find(each.stream, 7);
      missing += found ? 0 : 1;
      if (found && found->version != each.version)
        return false;
    }
    auto written = store->put(all);
    return missing > 0 && !written && tells(written.error().text, "folder may be deleted");
  };
  damaged_everywhere(directory.path() / "snapshots", "snapshots", looks_everywhere, [&] {
    auto store = open();
    BOOST_TEST(store->count() == 0U);
    BOOST_TEST(store->put(all).has_value());
    BOOST_TEST(store->find("s1", 7).has_value());
  });
}

BOOST_AUTO_TEST_CASE(a_damaged_page_of_a_subscription_is_refused_from_then_on) {
  test::temporary_directory directory;
  auto source = make_memory_journal();
  for (std::uint32_t i = 0; i < many; i += 100)
    append_ok(*source, to_stream("s", 100));
  auto open = [&] {
    return subscription_store::open(
        "mails",
        {.directory = directory.path(), .start = subscription_start::first_event, .sync = false},
        *source);
  };
  std::vector<std::uint64_t> positions;
  for (std::uint64_t at = 1; at <= many; ++at)
    positions.push_back(at);
  BOOST_TEST((*open())->hold({.key = "ann", .parked = true, .why = "no"}, positions).has_value());
  auto looks_everywhere = [&] {
    auto store = open();
    if (!store)
      return false;
    auto found = (*store)->positions_of("ann", 0, many);
    auto dropped = (*store)->drop("ann");
    return !found && tells(found.error().text, "Restore a backup") && !dropped &&
           tells(dropped.error().text, "Restore a backup");
  };
  damaged_everywhere(directory.path() / "subscriptions" / "mails", "events", looks_everywhere, [&] {
    auto again = open();
    BOOST_REQUIRE(again.has_error());
    BOOST_TEST(tells(again.error().text, "Restore a backup"));
  });
}

BOOST_AUTO_TEST_SUITE_END()
