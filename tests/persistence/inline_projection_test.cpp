// Projections whose rows are written by the append itself.

#include "persistence/samples.hpp"
#include "support/temporary_directory.hpp"

#include <microlith/persistence/journal.hpp>

#include <boost/test/unit_test.hpp>

#include <map>
#include <stdexcept>
#include <string>

namespace {

using namespace microlith;
using namespace sample;

struct thing_row {
  std::uint64_t made = 0;
  std::uint64_t position = 0;
};
BOOST_DESCRIBE_STRUCT(thing_row, (), (made, position))

constexpr table<std::string, thing_row> things{"things"};

// Fails at size 13 after it has written, and where a thing is made a fourth time.
projection things_projection(std::uint16_t version = 1) {
  projection p{"things", version};
  p.keeps(things).is_inline();
  p.on<thing_made_event>(
      [](const thing_made_event& e, const event_info& info, write_transaction& t) {
        auto row = things.get(t, e.name).value_or(thing_row{});
        things.put(t, e.name, {row.made + 1, info.position});
        if (e.size == 13)
          throw std::runtime_error{"thirteen"};
        if (row.made == 3)
          throw std::runtime_error{"one too many"};
      });
  return p;
}

struct fixture {
  test::temporary_directory directory;

  std::unique_ptr<journal> open(std::vector<projection_group> inlined = {
                                    projection_group{things_projection()}}) const {
    return open_journal({.directory = directory.path(),
                         .inline_projections = std::move(inlined),
                         .merge_in_background = false,
                         .sync = false});
  }

  static append_request making(std::string name, std::uint32_t size = 1) {
    append_request request;
    request.id = message_id::make();
    request.checks.push_back({name, expected_version::any()});
    request.events.push_back({made(name, size), name});
    return request;
  }

  static std::map<std::string, std::uint64_t> rows(const journal& of) {
    std::map<std::string, std::uint64_t> all;
    of.rows_of("things")->read([&](const read_transaction& t) {
      things.for_each(t, [&](const std::string& name, const thing_row& row) {
        all[name] = row.made;
        // The row tells of an event that is there.
        std::string at;
        BOOST_TEST(of.read(row.position, {.events = 1}, [&](const record_view& r) {
                       at = r.stream;
                       return false;
                     }).has_value());
        BOOST_TEST(at == name);
      });
    });
    return all;
  }
};

using counts = std::map<std::string, std::uint64_t>;

bool refused_for(const append_outcome& outcome, std::string_view why) {
  const auto* refused = std::get_if<append_refused>(&outcome);
  return refused != nullptr && refused->why.kind == failure_kind::handler_failed &&
         refused->why.certainty == certainty::not_done &&
         refused->why.text.find(why) != std::string::npos;
}

}  // namespace

BOOST_FIXTURE_TEST_SUITE(inline_projection, fixture)

BOOST_AUTO_TEST_CASE(rows_are_there_when_the_append_returns) {
  auto j = open();
  append_ok(*j, making("anvil"));
  append_ok(*j, making("anvil"));
  BOOST_TEST((rows(*j) == counts{{"anvil", 2}}));
  BOOST_TEST(j->rows_of("things")->checkpoint() == 2U);
  BOOST_TEST((j->rows_of("nothing") == nullptr));
  j.reset();
  j = open();
  BOOST_TEST((rows(*j) == counts{{"anvil", 2}}));
  append_ok(*j, making("anvil"));
  BOOST_TEST((rows(*j) == counts{{"anvil", 3}}));
}

BOOST_AUTO_TEST_CASE(one_that_cannot_be_applied_refuses_its_own_append_alone) {
  auto j = open();
  std::vector<append_request> batch;
  batch.push_back(making("a"));
  batch.push_back(making("bad", 13));
  batch.push_back(making("b"));
  // All of the append goes, also what could be applied.
  auto both = making("c");
  both.events.push_back({made("c", 13), "c"});
  batch.push_back(std::move(both));
  batch.push_back(making("d"));
  auto outcomes = j->append(batch);
  BOOST_TEST((std::get<appended>(outcomes[0]) == appended{1, 1}));
  BOOST_TEST(refused_for(outcomes[1], "thirteen"));
  BOOST_TEST((std::get<appended>(outcomes[2]) == appended{2, 2}));
  BOOST_TEST(refused_for(outcomes[3], "projection things"));
  BOOST_TEST((std::get<appended>(outcomes[4]) == appended{3, 3}));
  BOOST_TEST(j->last_position() == 3U);
  BOOST_TEST((rows(*j) == counts{{"a", 1}, {"b", 1}, {"d", 1}}));
  BOOST_TEST(*j->stream_version("c") == 0U);
  append_ok(*j, making("c"));
  BOOST_TEST((rows(*j) == counts{{"a", 1}, {"b", 1}, {"c", 1}, {"d", 1}}));
}

BOOST_AUTO_TEST_CASE(what_a_batch_may_hold_depends_on_what_it_holds_already) {
  auto j = open();
  std::vector<append_request> batch;
  for (int i = 0; i < 6; ++i)
    batch.push_back(making("a"));
  auto outcomes = j->append(batch);
  for (std::size_t i = 0; i < 3; ++i)
    BOOST_TEST(std::holds_alternative<appended>(outcomes[i]));
  for (std::size_t i = 3; i < 6; ++i)
    BOOST_TEST(refused_for(outcomes[i], "one too many"));
  BOOST_TEST((rows(*j) == counts{{"a", 3}}));
}

BOOST_AUTO_TEST_CASE(what_a_refused_append_wrote_counts_for_nobody) {
  auto j = open();
  std::vector<append_request> batch;
  batch.push_back(making("a", 13));
  for (int i = 0; i < 3; ++i)
    batch.push_back(making("a"));
  batch.push_back(making("bad", 13));
  auto outcomes = j->append(batch);
  BOOST_TEST(refused_for(outcomes[0], "thirteen"));
  // With what the first one wrote there would be one too many.
  for (std::size_t i = 1; i <= 3; ++i)
    BOOST_TEST((std::get<appended>(outcomes[i]) == appended{i, i}));
  BOOST_TEST(refused_for(outcomes[4], "thirteen"));
  BOOST_TEST((rows(*j) == counts{{"a", 3}}));
}

BOOST_AUTO_TEST_CASE(what_depends_on_a_refused_append_is_a_conflict) {
  auto j = open();
  std::vector<append_request> batch;
  batch.push_back(making("bad", 13));
  batch.push_back(making("bad"));
  batch.back().checks.front().expected = expected_version::exactly(1);
  auto outcomes = j->append(batch);
  BOOST_TEST(refused_for(outcomes[0], "thirteen"));
  BOOST_TEST(std::holds_alternative<append_conflict>(outcomes[1]));
  BOOST_TEST(rows(*j).empty());
  BOOST_TEST(j->types().empty());
}

BOOST_AUTO_TEST_CASE(rows_of_a_new_or_changed_projection_are_derived_at_opening) {
  append_ok(*open({}), making("a"));
  BOOST_TEST((rows(*open()) == counts{{"a", 1}}));
  // Appended without it.
  append_ok(*open({}), making("b"));
  BOOST_TEST((rows(*open()) == counts{{"a", 1}, {"b", 1}}));
  BOOST_TEST((rows(*open({projection_group{things_projection(2)}})) == counts{{"a", 1}, {"b", 1}}));
}

BOOST_AUTO_TEST_CASE(events_of_the_past_that_cannot_be_applied_stop_the_start_or_are_skipped) {
  append_ok(*open({}), making("bad", 13));
  append_ok(*open({}), making("b"));
  auto opened = journal::open({.directory = directory.path(),
                               .inline_projections = {projection_group{things_projection()}}});
  BOOST_TEST_REQUIRE(opened.has_error());
  BOOST_TEST((opened.error().kind == storage_error_kind::stopped));
  BOOST_TEST(opened.error().position == 1U);
  auto j = open({projection_group{things_projection().skips_failures()}});
  BOOST_TEST((rows(*j) == counts{{"b", 1}}));
  append_ok(*j, making("worse", 13));
  BOOST_TEST((rows(*j) == counts{{"b", 1}}));
  auto skipped = j->rows_of("things")->skipped();
  BOOST_TEST_REQUIRE(skipped.size() == 2U);
  BOOST_TEST(skipped[0].position == 1U);
  BOOST_TEST(skipped[1].position == 3U);
}

BOOST_AUTO_TEST_CASE(the_map_grows_for_rows_at_opening_and_with_appends) {
  auto name = [](int i) { return std::string(200, 'x') + std::to_string(i); };
  auto open_small = [&](std::vector<projection_group> inlined) {
    return open_journal({.directory = directory.path(),
                         .map_reserve_bytes = 128 * 1024,
                         .inline_projections = std::move(inlined),
                         .merge_in_background = false,
                         .sync = false});
  };
  {
    auto j = open_small({});
    for (int i = 0; i < 400; ++i)
      append_ok(*j, making(name(i)));
  }
  auto j = open_small({projection_group{things_projection()}});
  BOOST_TEST(rows(*j).size() == 400U);
  for (int i = 400; i < 1200; ++i)
    append_ok(*j, making(name(i)));
  BOOST_TEST(rows(*j).size() == 1200U);
}

BOOST_AUTO_TEST_CASE(too_many_tables_are_refused) {
  projection many{"many", 1};
  constexpr std::string_view names[]{"a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k",
                                     "l", "m", "n", "o", "p", "q", "r", "s", "t", "u"};
  for (auto name : names)
    many.keeps(table<std::string, thing_row>{name});
  many.is_inline();
  auto opened = journal::open(
      {.directory = directory.path(), .inline_projections = {projection_group{many}}});
  BOOST_TEST_REQUIRE(opened.has_error());
  BOOST_TEST(opened.error().text.find("tables") != std::string::npos);
}

BOOST_AUTO_TEST_SUITE_END()
