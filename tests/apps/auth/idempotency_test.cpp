#include "auth/idempotency.hpp"

#include "support/given.hpp"

using namespace auth;

using microlith::correlation_id;
using microlith::message_id;
using microlith::test::given;

namespace {

const message_id first_id = message_id::make();
const correlation_id first_correlation = correlation_id::make();
const claim_idempotency_key_command first{"scope", "body", first_id, first_correlation};
const idempotency_key_claimed_event claimed{"scope", "body", first_id, first_correlation};

}  // namespace

BOOST_AUTO_TEST_SUITE(idempotency)

BOOST_AUTO_TEST_CASE(each_scope_has_a_stream_of_its_own) {
  BOOST_TEST(stream_key(first) == "scope");
}

BOOST_AUTO_TEST_CASE(a_scope_is_of_one_key_one_route_and_one_person) {
  auto key = auth::http_key::make();
  auto scope = idempotency_scope(key, "POST /api/register", "ann", "once");
  BOOST_TEST(scope == idempotency_scope(key, "POST /api/register", "ann", "once"));
  BOOST_TEST(scope != idempotency_scope(key, "POST /api/login", "ann", "once"));
  BOOST_TEST(scope != idempotency_scope(key, "POST /api/register", "", "once"));
  BOOST_TEST(scope != idempotency_scope(key, "POST /api/register", "ann", "twice"));
  // Whoever may choose one of them cannot make it that of another one.
  BOOST_TEST(scope != idempotency_scope(key, "POST /api/register", "ann ", "once"));
  BOOST_TEST(scope != idempotency_scope(key, "POST /api/register", "annonce", ""));
}

BOOST_AUTO_TEST_CASE(the_first_claim_fixes_body_and_ids) {
  given<idempotency_key>().when(first).then(claimed);
}

BOOST_AUTO_TEST_CASE(a_repetition_is_told_the_ids_of_the_first) {
  given<idempotency_key>(claimed)
      .when(claim_idempotency_key_command{"scope", "body", message_id::make(),
                                          correlation_id::make()})
      .then(idempotency_key_known{first_id, first_correlation});
}

BOOST_AUTO_TEST_CASE(another_body_is_refused) {
  given<idempotency_key>(claimed)
      .when(claim_idempotency_key_command{"scope", "another body", first_id, first_correlation})
      .then(idempotency_key_reused{"scope"});
}

BOOST_AUTO_TEST_CASE(a_key_is_1_to_255_visible_ascii_characters) {
  std::string all;
  for (char c = '!'; c <= '~'; ++c)
    all += c;
  for (const auto& text : {std::string{"1"}, all, std::string(255, 'x')})
    BOOST_TEST(is_idempotency_key(text), text);
  for (const auto& text :
       {std::string{}, std::string(256, 'x'), std::string{"a b"}, std::string{"a\tb"},
        std::string{"a\x7F"}, std::string{"\xC3\xA9"}, std::string{"a\0b", 3}})
    BOOST_TEST(!is_idempotency_key(text), text);
}

BOOST_AUTO_TEST_SUITE_END()
