#include "messages/everything.hpp"

#include <microlith/messages/codec.hpp>
#include <microlith/messages/json.hpp>
#include <microlith/messages/print.hpp>
#include <microlith/messages/schema_reader.hpp>

#include <boost/json/serialize.hpp>
#include <boost/test/unit_test.hpp>
#include <rapidcheck.h>

using namespace microlith;

namespace {

struct account {
  using message = microlith::event<"sample.account">;
  using sensitive = sensitive_fields<"hash", "sizes">;
  std::string email;
  std::string hash;
  std::vector<std::uint16_t> sizes;
};
BOOST_DESCRIBE_STRUCT(account, (), (email, hash, sizes))

struct plain_account {
  using message = microlith::event<"sample.account">;
  std::string email;
  std::string hash;
  std::vector<std::uint16_t> sizes;
};
BOOST_DESCRIBE_STRUCT(plain_account, (), (email, hash, sizes))

struct accounts {
  using message = microlith::event<"sample.accounts">;
  std::map<std::string, account> by_name;
};
BOOST_DESCRIBE_STRUCT(accounts, (), (by_name))

schema_reader reader_of(const schema& from) {
  auto reader = schema_reader::make(from);
  if (!reader)
    BOOST_FAIL(to_string(reader.error()));
  return *reader;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(schema_reader)

BOOST_AUTO_TEST_CASE(a_schema_reads_every_field_type_as_the_type_does) {
  auto value = sample::full();
  auto in = encode(value);
  auto reader = reader_of(schema_of<sample::everything>());
  BOOST_TEST(reader.print(in).value() == print(value));
  BOOST_TEST(boost::json::serialize(reader.to_json(in).value()) ==
             boost::json::serialize(json_of(value)));
}

BOOST_AUTO_TEST_CASE(sensitive_fields_are_masked_with_and_without_the_type) {
  account value{"a@b.c", "$argon2id$…", {1, 2}};
  auto reader = reader_of(schema_of<account>());
  BOOST_TEST(print(value) == "{email: a@b.c, hash: ***, sizes: ***}");
  BOOST_TEST(reader.print(encode(value)).value() == print(value));
  BOOST_TEST(boost::json::serialize(json_of(value)) ==
             R"({"email":"a@b.c","hash":"***","sizes":"***"})");
}

BOOST_AUTO_TEST_CASE(sensitive_fields_are_masked_however_deep) {
  accounts value{{{"one", {"a@b.c", "hash", {}}}}};
  auto reader = reader_of(schema_of<accounts>());
  BOOST_TEST(reader.print(encode(value)).value() ==
             "{by_name: {one: {email: a@b.c, hash: ***, sizes: ***}}}");
}

BOOST_AUTO_TEST_CASE(declaring_a_field_sensitive_changes_neither_bytes_nor_fingerprint) {
  BOOST_TEST((encode(account{"a", "b", {3}}) == encode(plain_account{"a", "b", {3}})));
  BOOST_TEST(schema_of<account>().fingerprint == schema_of<plain_account>().fingerprint);
  BOOST_TEST(difference(schema_of<plain_account>(), schema_of<account>()).empty());
  BOOST_TEST(schema_of<account>().fields[1].type == "sensitive<string>");
}

BOOST_AUTO_TEST_CASE(an_older_schema_learns_what_is_sensitive_now) {
  BOOST_TEST((with_sensitive_fields(schema_of<plain_account>(), schema_of<account>()).fields ==
              schema_of<account>().fields));
  schema older{"sample.account", 0, {{"hash", "string"}, {"gone", "u8"}}, 7};
  auto masked = with_sensitive_fields(older, schema_of<account>());
  BOOST_TEST(masked.fields[0].type == "sensitive<string>");
  BOOST_TEST(masked.fields[1].type == "u8");
}

BOOST_AUTO_TEST_CASE(cut_bytes_are_an_error_that_names_the_field) {
  auto in = encode(account{"a@b.c", "hash", {1}});
  in.pop_back();
  auto read = reader_of(schema_of<account>()).print(in);
  BOOST_REQUIRE(!read);
  BOOST_TEST(to_string(read.error()).find("field sizes") != std::string::npos);
  in.resize(in.size() + 10);
  BOOST_TEST(!reader_of(schema_of<account>()).print(in));
}

BOOST_AUTO_TEST_CASE(a_schema_that_is_none_is_an_error) {
  for (const char* type : {"", "strin", "u7", "f16", "list<string", "list<>", "map<list<u8>, u8>",
                           "enum f32 {a=1}", "enum u8 {a=300000000000000000000}", "{a: u8",
                           "{a u8}", "^0", "^2", "^", "time<x>", "time<0/1>", "string>", "u8 "})
    BOOST_TEST(!microlith::schema_reader::make({"x", 1, {{"field", type}}, 0}), type);
  std::string deep;
  for (int i = 0; i < 100'000; ++i)
    deep += "list<";
  BOOST_TEST(!microlith::schema_reader::make({"x", 1, {{"field", deep}}, 0}));
}

BOOST_AUTO_TEST_CASE(a_struct_that_holds_itself_ends) {
  auto reader = reader_of({"x", 1, {{"again", "^1"}, {"once_more", "^1"}}, 0});
  BOOST_TEST(!reader.print(bytes(100)));
}

BOOST_AUTO_TEST_CASE(any_bytes_end_in_a_value_or_an_error) {
  auto reader = reader_of(schema_of<sample::everything>());
  BOOST_TEST(rc::check("read anything", [&](const std::vector<std::uint8_t>& raw) {
    bytes in;
    for (auto one : raw)
      in.push_back(std::byte{one});
    (void)reader.to_json(in);
  }));
  auto whole = encode(sample::full());
  BOOST_TEST(rc::check("read what has one byte changed", [&] {
    auto in = whole;
    in[*rc::gen::inRange<std::size_t>(0, in.size())] =
        static_cast<std::byte>(*rc::gen::arbitrary<std::uint8_t>());
    (void)reader.to_json(in);
  }));
}

BOOST_AUTO_TEST_SUITE_END()
