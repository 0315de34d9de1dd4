#include "everything.hpp"

#include <microlith/messages/envelope.hpp>
#include <microlith/messages/equality.hpp>
#include <microlith/messages/json.hpp>

#include <boost/json/serialize.hpp>
#include <boost/test/unit_test.hpp>

#include <thread>

using namespace microlith;

namespace {

struct login {
  using message = command<"sample.login">;
  std::string email;
  secret<std::string> password;
};
BOOST_DESCRIBE_STRUCT(login, (), (email, password))

struct moved {
  using message = event<"sample.moved", 1>;
  int x = 0;
};
BOOST_DESCRIBE_STRUCT(moved, (), (x))

envelope_head some_head() {
  envelope_head head;
  head.id = message_id::make();
  head.correlation = correlation_id::make();
  head.root = head.id;
  return head;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(envelope)

BOOST_AUTO_TEST_CASE(an_envelope_gives_back_its_body_as_its_own_type_only) {
  microlith::envelope sent{some_head(), moved{4}};
  BOOST_REQUIRE(sent.get_if<moved>() != nullptr);
  BOOST_TEST(sent.get_if<moved>()->x == 4);
  BOOST_TEST((sent.get_if<login>() == nullptr));
  BOOST_TEST(sent.type().name == "sample.moved");
}

BOOST_AUTO_TEST_CASE(a_copy_shares_the_body) {
  microlith::envelope sent{some_head(), moved{4}};
  auto copy = sent;
  BOOST_TEST(copy.body() == sent.body());
  BOOST_TEST((copy.head().id == sent.head().id));
}

BOOST_AUTO_TEST_CASE(another_head_keeps_body_position_and_stream_version) {
  microlith::envelope sent{some_head(), moved{4}};
  sent.position = 7;
  sent.stream_version = 3;
  auto head = sent.head();
  head.facts = std::make_shared<conversation_facts>(
      conversation_facts{.origin = "here", .principal = {}, .headers = {{"trace", "1"}}});
  auto changed = sent.with_head(head);
  BOOST_TEST(changed.body() == sent.body());
  BOOST_TEST(changed.get_if<moved>()->x == 4);
  BOOST_TEST(changed.position == 7U);
  BOOST_TEST(changed.stream_version == 3U);
  BOOST_TEST(facts_of(changed.head()).headers.at("trace") == "1");
  BOOST_TEST(facts_of(sent.head()).headers.empty());
}

BOOST_AUTO_TEST_CASE(who_alone_holds_a_message_takes_its_body_without_a_copy) {
  login given{.email = std::string(100, 'e'), .password = "hunter2"};
  const auto* text = given.email.data();
  microlith::envelope sent{some_head(), std::move(given)};
  auto taken = std::move(sent).take<login>();
  BOOST_TEST(static_cast<const void*>(taken.email.data()) == static_cast<const void*>(text));
  BOOST_TEST(taken.email == std::string(100, 'e'));
}

BOOST_AUTO_TEST_CASE(what_others_hold_too_stays_whole_when_it_is_taken) {
  microlith::envelope sent{some_head(), login{.email = "a@b.c", .password = "hunter2"}};
  auto with_another_head = sent.with_head(some_head());
  BOOST_TEST(std::move(sent).take<login>().email == "a@b.c");
  BOOST_TEST(with_another_head.get_if<login>()->email == "a@b.c");
}

BOOST_AUTO_TEST_CASE(the_body_outlives_the_envelope_that_it_came_in) {
  microlith::envelope changed;
  {
    microlith::envelope sent{some_head(), sample::full()};
    changed = sent.with_head(some_head());
  }
  BOOST_TEST(equal(*changed.get_if<sample::everything>(), sample::full()));
}

BOOST_AUTO_TEST_CASE(bytes_that_left_come_back_as_an_equal_body) {
  microlith::envelope sent{some_head(), sample::full()};
  auto received = microlith::envelope::decode(sent.head(), sent.type(), 1, sent.encoded());
  BOOST_REQUIRE(received);
  BOOST_TEST(equal(*received->get_if<sample::everything>(), sample::full()));
  BOOST_TEST((received->head().correlation == sent.head().correlation));
  BOOST_TEST((received->encoded() == sent.encoded()));
}

BOOST_AUTO_TEST_CASE(bytes_that_are_no_body_are_an_error) {
  auto received =
      microlith::envelope::decode(some_head(), type_of<moved>(), 1, encode(sample::line{}));
  BOOST_REQUIRE(!received);
  BOOST_TEST(received.error().type == "sample.moved");
}

BOOST_AUTO_TEST_CASE(the_body_is_encoded_once_whoever_asks_first) {
  microlith::envelope sent{some_head(), sample::full()};
  std::vector<const bytes*> seen(4);
  {
    std::vector<std::jthread> threads;
    for (auto& mine : seen)
      threads.emplace_back([&mine, sent] { mine = &sent.encoded(); });
  }
  for (const auto* one : seen)
    BOOST_TEST(one == &sent.encoded());
  BOOST_TEST((sent.encoded() == encode(sample::full())));
}

BOOST_AUTO_TEST_CASE(it_prints_name_id_and_body_without_secrets) {
  auto head = some_head();
  microlith::envelope sent{head, login{.email = "a@b.c", .password = "hunter2"}};
  BOOST_TEST(sent.print() ==
             "sample.login " + to_string(head.id) + " {email: a@b.c, password: ***}");
  BOOST_TEST(microlith::envelope{}.print() == "(no message)");
  BOOST_TEST(!microlith::envelope{});
}

BOOST_AUTO_TEST_CASE(the_type_turns_a_body_into_json_without_secrets) {
  microlith::envelope sent{some_head(), login{.email = "a@b.c", .password = "hunter2"}};
  BOOST_TEST(boost::json::serialize(sent.type().to_json(sent.body())) ==
             R"({"email":"a@b.c","password":"***"})");
}

BOOST_AUTO_TEST_CASE(the_type_knows_what_its_struct_says) {
  const auto& type = type_of<login>();
  BOOST_TEST((type.kind == message_kind::command));
  BOOST_TEST(type.version == 1);
  BOOST_TEST(type.holds_secret);
  BOOST_TEST(type.schema == &schema_of<login>());
  BOOST_TEST(!type_of<moved>().holds_secret);
  BOOST_TEST(&type == &type_of<login>());
}

BOOST_AUTO_TEST_CASE(a_principal_has_the_roles_that_it_was_given) {
  principal admin{.subject = "a@b.c", .roles = {"admin"}};
  BOOST_TEST(admin.has_role("admin"));
  BOOST_TEST(!admin.has_role("adm"));
  BOOST_TEST(!principal{}.has_role(""));
}

BOOST_AUTO_TEST_SUITE_END()
