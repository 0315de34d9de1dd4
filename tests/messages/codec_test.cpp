#include "everything.hpp"

#include <microlith/messages/codec.hpp>
#include <microlith/messages/equality.hpp>

#include <boost/test/unit_test.hpp>
#include <rapidcheck.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <new>
#include <sstream>
#include <stdexcept>

namespace {

thread_local std::size_t allocated_bytes = 0;

}  // namespace

// Counts what this program takes from the heap: how much decoding takes is one of its promises.
[[gnu::noinline]] void* operator new(std::size_t size) {
  allocated_bytes += size;
  if (void* memory = std::malloc(size))
    return memory;
  throw std::bad_alloc{};
}
[[gnu::noinline]] void operator delete(void* memory) noexcept {
  std::free(memory);
}
[[gnu::noinline]] void operator delete(void* memory, std::size_t) noexcept {
  std::free(memory);
}

namespace {

using namespace microlith;
using sample::everything;

template <class... Ints>
bytes raw(Ints... values) {
  return {static_cast<std::byte>(values)...};
}

template <class T>
decode_error error_of(std::span<const std::byte> in) {
  auto out = decode<T>(in);
  BOOST_REQUIRE(!out);
  return out.error();
}

everything any() {
  everything out;
  out.flag = *rc::gen::arbitrary<bool>();
  out.i8 = *rc::gen::arbitrary<std::int8_t>();
  out.u8 = *rc::gen::arbitrary<std::uint8_t>();
  out.i16 = *rc::gen::arbitrary<std::int16_t>();
  out.u16 = *rc::gen::arbitrary<std::uint16_t>();
  out.i32 = *rc::gen::arbitrary<std::int32_t>();
  out.u32 = *rc::gen::arbitrary<std::uint32_t>();
  out.i64 = *rc::gen::arbitrary<std::int64_t>();
  out.u64 = *rc::gen::arbitrary<std::uint64_t>();
  out.f32 = std::bit_cast<float>(*rc::gen::arbitrary<std::uint32_t>());
  out.f64 = std::bit_cast<double>(*rc::gen::arbitrary<std::uint64_t>());
  out.color = *rc::gen::element(sample::color::red, sample::color::green, sample::color::blue);
  out.text = *rc::gen::arbitrary<std::string>();
  for (auto one : *rc::gen::arbitrary<std::vector<std::uint8_t>>())
    out.raw.push_back(std::byte{one});
  if (*rc::gen::arbitrary<bool>())
    out.maybe = *rc::gen::arbitrary<std::string>();
  out.numbers = *rc::gen::arbitrary<std::vector<std::uint16_t>>();
  for (auto one : out.numbers)
    out.flags.push_back(one % 2 == 0);
  for (const auto& label : *rc::gen::arbitrary<std::vector<std::string>>())
    out.lines.push_back({label, {{out.i32, -1}}});
  out.by_number = *rc::gen::arbitrary<std::map<std::int16_t, std::string>>();
  for (const auto& [number, name] : out.by_number) {
    out.by_name[name] = number;
    out.by_id[{out.u64, static_cast<std::uint64_t>(number)}] = number > 0;
  }
  out.at = std::chrono::sys_time<std::chrono::microseconds>{std::chrono::microseconds{out.i64}};
  out.within = std::chrono::milliseconds{out.i32};
  out.id = {out.u64, out.u32};
  out.password = out.text;
  out.nothings.resize(out.u8 % 4);
  out.family = {out.text, {{out.text, {}}, {"", {{"deep", {}}}}}};
  return out;
}

struct pair {
  std::uint16_t left = 0;
  std::string right;
};
BOOST_DESCRIBE_STRUCT(pair, (), (left, right))

struct many_nothings {
  std::vector<sample::nothing> all;
};
BOOST_DESCRIBE_STRUCT(many_nothings, (), (all))

struct many_everythings {
  std::vector<sample::everything> all;
};
BOOST_DESCRIBE_STRUCT(many_everythings, (), (all))

struct choice {
  sample::color color = sample::color::red;
  std::optional<bool> sure;
};
BOOST_DESCRIBE_STRUCT(choice, (), (color, sure))

struct layer {
  std::string name;
  std::vector<choice> dots;
};
BOOST_DESCRIBE_STRUCT(layer, (), (name, dots))

struct sketch {
  using message = event<"sample.sketch">;
  std::vector<layer> layers;
};
BOOST_DESCRIBE_STRUCT(sketch, (), (layers))

struct counts {
  std::map<std::string, std::uint8_t> by_name;
};
BOOST_DESCRIBE_STRUCT(counts, (), (by_name))

struct short_wait {
  std::chrono::duration<std::int16_t> wait{};
};
BOOST_DESCRIBE_STRUCT(short_wait, (), (wait))

bytes golden(const char* name) {
  auto path = std::filesystem::path{MICROLITH_TESTS_DIR} / "golden/messages" / name;
  std::ifstream file{path};
  BOOST_REQUIRE_MESSAGE(file, "cannot read " << path);
  bytes out;
  for (std::string line; std::getline(file, line);) {
    std::istringstream words{line.substr(0, line.find('#'))};
    for (std::string word; words >> word;)
      out.push_back(static_cast<std::byte>(std::stoul(word, nullptr, 16)));
  }
  return out;
}

sample::tree nested(unsigned levels) {
  sample::tree out{"t", {}};
  for (unsigned i = 1; i < levels; ++i) {
    sample::tree outer{"t", {}};
    outer.children.push_back(std::move(out));
    out = std::move(outer);
  }
  return out;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(codec)

BOOST_AUTO_TEST_CASE(a_message_of_every_field_type_comes_back_as_it_was) {
  auto original = sample::full();
  auto decoded = decode<everything>(encode(original));
  BOOST_REQUIRE(decoded);
  BOOST_TEST(equal(*decoded, original));
}

BOOST_AUTO_TEST_CASE(any_message_comes_back_as_it_was) {
  BOOST_TEST(rc::check("encode, then decode", [] {
    auto original = any();
    auto decoded = decode<everything>(encode(original));
    RC_ASSERT(decoded.has_value());
    RC_ASSERT(equal(*decoded, original));
  }));
}

BOOST_AUTO_TEST_CASE(the_bytes_are_little_endian_with_a_length_of_four_bytes) {
  BOOST_TEST(encode(pair{.left = 0x0102, .right = "ab"}) == raw(2, 1, 2, 0, 0, 0, 'a', 'b'));
}

BOOST_AUTO_TEST_CASE(an_id_is_written_in_the_order_of_its_text) {
  auto id = *message_id::parse("018f0e5a-7c3b-7abc-9def-0123456789ab");
  auto whole = encode(everything{.id = id});
  auto expected = raw(0x01, 0x8f, 0x0e, 0x5a, 0x7c, 0x3b, 0x7a, 0xbc, 0x9d, 0xef, 0x01, 0x23, 0x45,
                      0x67, 0x89, 0xab);
  auto found = std::search(whole.begin(), whole.end(), expected.begin(), expected.end());
  BOOST_TEST((found != whole.end()));
}

BOOST_AUTO_TEST_CASE(what_was_written_once_can_be_read_for_ever) {
  auto written = golden("everything_v1.hex");
  auto decoded = decode<everything>(written);
  BOOST_REQUIRE_MESSAGE(decoded, (decoded ? "" : to_string(decoded.error())));
  BOOST_TEST(equal(*decoded, sample::full()));
  BOOST_TEST((encode(sample::full()) == written));
}

BOOST_AUTO_TEST_CASE(encoding_appends_to_what_is_there) {
  bytes out = raw(9);
  encode_to(out, pair{.left = 1, .right = ""});
  BOOST_TEST(out == raw(9, 1, 0, 0, 0, 0, 0));
}

BOOST_AUTO_TEST_CASE(encoded_size_is_the_number_of_bytes) {
  BOOST_TEST(encoded_size(sample::full()) == encode(sample::full()).size());
}

BOOST_AUTO_TEST_CASE(a_message_without_fields_takes_no_bytes_and_an_element_without_fields_one) {
  BOOST_TEST(encode(sample::nothing{}).empty());
  BOOST_TEST(decode<sample::nothing>({}).has_value());
  BOOST_TEST(encode(many_nothings{{{}, {}}}) == raw(2, 0, 0, 0, 0, 0));
}

BOOST_AUTO_TEST_CASE(no_beginning_of_a_message_is_a_message) {
  auto whole = encode(sample::full());
  for (std::size_t size = 0; size < whole.size(); ++size)
    BOOST_TEST(!decode<everything>(std::span{whole}.first(size)));
}

BOOST_AUTO_TEST_CASE(bytes_left_over_are_an_error) {
  auto error = error_of<pair>(raw(1, 0, 0, 0, 0, 0, 7));
  BOOST_TEST(error.offset == 6U);
  BOOST_TEST(error.field == "");
  BOOST_TEST(error.reason == "1 bytes are left over: the message ends before the input does");
}

BOOST_AUTO_TEST_CASE(no_change_of_a_byte_does_more_than_give_another_message_or_an_error) {
  auto whole = encode(sample::full());
  for (std::size_t i = 0; i < whole.size(); ++i) {
    auto damaged = whole;
    for (int bit = 0; bit < 8; ++bit) {
      damaged[i] = whole[i] ^ static_cast<std::byte>(1 << bit);
      auto decoded = decode<everything>(damaged);
      // What is accepted is canonical: there is one encoding of each value.
      if (decoded)
        BOOST_TEST((encode(*decoded) == damaged));
    }
  }
}

BOOST_AUTO_TEST_CASE(any_bytes_at_all_give_a_message_or_an_error) {
  BOOST_TEST(rc::check("decode noise", [](const std::vector<std::uint8_t>& noise) {
    auto in = std::as_bytes(std::span{noise});
    auto decoded = decode<sample::tree>(in);
    if (decoded)
      RC_ASSERT(std::ranges::equal(encode(*decoded), in));
    (void)decode<counts>(in);
    (void)decode<everything>(in);
  }));
}

BOOST_AUTO_TEST_CASE(an_error_names_the_type_the_field_with_its_index_and_the_offset) {
  auto whole = encode(
      sketch{.layers = {{.name = "a", .dots = {}}, {.name = "b", .dots = {choice{}, choice{}}}}});
  auto offset = whole.size() - 2;
  whole[offset] = std::byte{9};
  auto error = error_of<sketch>(whole);
  BOOST_TEST(error.type == "sample.sketch");
  BOOST_TEST(error.field == "layers[1].dots[1].color");
  BOOST_TEST(error.offset == offset);
  BOOST_TEST(to_string(error) ==
             "cannot decode sample.sketch: field layers[1].dots[1].color at byte 24: 9 is none of "
             "the enumerators");
}

BOOST_AUTO_TEST_CASE(input_that_ends_too_early_is_an_error_where_it_ends) {
  auto error = error_of<pair>(raw(1));
  BOOST_TEST(error.field == "left");
  BOOST_TEST(error.offset == 0U);
  BOOST_TEST(error.reason == "the input ends here: 2 bytes are needed, 1 are left");
  error = error_of<pair>(raw(1, 0, 2, 0, 0, 0, 'a'));
  BOOST_TEST(error.field == "right");
  BOOST_TEST(error.offset == 2U);
  BOOST_TEST(error.reason == "a length of 2 needs at least 1 bytes each, 1 are left");
}

BOOST_AUTO_TEST_CASE(the_value_of_an_erroneous_result_throws_its_text) {
  auto decoded = decode<pair>({});
  BOOST_CHECK_EXCEPTION((void)decoded.value(), std::runtime_error, [](const auto& e) {
    return std::string_view{e.what()}.find("field left at byte 0") != std::string_view::npos;
  });
}

BOOST_AUTO_TEST_CASE(a_flag_is_zero_or_one) {
  BOOST_TEST(decode<choice>(raw(1, 1, 1)).has_value());
  BOOST_TEST(error_of<choice>(raw(1, 2, 1)).field == "sure");
  BOOST_TEST(error_of<choice>(raw(1, 1, 2)).reason == "a flag must be 0 or 1, not 2");
  BOOST_TEST(error_of<many_nothings>(raw(1, 0, 0, 0, 1)).field == "all[0]");
}

BOOST_AUTO_TEST_CASE(an_enumerator_must_be_a_described_one) {
  auto error = error_of<choice>(raw(3, 0));
  BOOST_TEST(error.field == "color");
  BOOST_TEST(error.offset == 0U);
  BOOST_TEST(error.reason == "3 is none of the enumerators");
}

BOOST_AUTO_TEST_CASE(the_keys_of_a_map_ascend) {
  auto two = [](char first, char second) {
    return raw(2, 0, 0, 0, 1, 0, 0, 0, first, 5, 1, 0, 0, 0, second, 6);
  };
  BOOST_TEST(decode<counts>(two('a', 'b')).has_value());
  BOOST_TEST(error_of<counts>(two('b', 'a')).field == "by_name[1]");
  BOOST_TEST(error_of<counts>(two('a', 'a')).field == "by_name[1]");
}

BOOST_AUTO_TEST_CASE(a_count_of_ticks_must_fit_its_duration) {
  BOOST_TEST(decode<short_wait>(raw(0xFF, 0x7F, 0, 0, 0, 0, 0, 0)).has_value());
  BOOST_TEST(error_of<short_wait>(raw(0, 0x80, 0, 0, 0, 0, 0, 0)).field == "wait");
}

BOOST_AUTO_TEST_CASE(a_length_that_lies_takes_no_memory) {
  auto taken = [](auto decode_it) {
    auto before = allocated_bytes;
    decode_it();
    return allocated_bytes - before;
  };
  auto liar = raw(0xFF, 0xFF, 0xFF, 0xFF, 0, 0, 0, 0);
  // What is taken is the error itself, with its text.
  BOOST_TEST(taken([&] { (void)decode<many_nothings>(liar); }) < 2000U);
  BOOST_TEST(taken([&] { (void)decode<many_everythings>(liar); }) < 2000U);
  BOOST_TEST(taken([&] { (void)decode<counts>(liar); }) < 2000U);

  // A length that the input could just hold, and large elements: room comes as the elements do.
  constexpr std::size_t input_bytes = 1'000'000;
  bytes plausible(input_bytes, std::byte{0xFF});
  auto elements = static_cast<std::uint32_t>(
      input_bytes / microlith::internal::smallest_encoding<sample::everything>() - 1);
  std::memcpy(plausible.data(), &elements, sizeof elements);
  auto before = sizeof(sample::everything) * elements;
  auto took = taken([&] { (void)decode<many_everythings>(plausible); });
  BOOST_TEST(took < input_bytes + 10'000);
  BOOST_TEST(took < before);
}

BOOST_AUTO_TEST_CASE(recursion_is_bounded_in_both_directions) {
  auto deepest = nested(max_struct_depth);
  auto decoded = decode<sample::tree>(encode(deepest));
  BOOST_REQUIRE(decoded);
  BOOST_TEST(equal(*decoded, deepest));
  BOOST_CHECK_THROW((void)encode(nested(max_struct_depth + 1)), std::length_error);

  bytes bottomless;
  for (unsigned i = 0; i <= max_struct_depth; ++i) {
    for (int byte : {0, 0, 0, 0, 1, 0, 0, 0})
      bottomless.push_back(static_cast<std::byte>(byte));
  }
  bottomless.resize(bottomless.size() + 8);
  BOOST_TEST(error_of<sample::tree>(bottomless).reason == "structs are nested deeper than 32");
}

BOOST_AUTO_TEST_CASE(what_could_not_be_read_back_is_not_written) {
  bytes out = raw(9);
  BOOST_CHECK_THROW(encode_to(out, choice{.color = sample::color{3}, .sure = {}}),
                    std::invalid_argument);
  BOOST_TEST(out == raw(9));
}

BOOST_AUTO_TEST_CASE(strings_are_any_bytes) {
  pair original{.left = 0, .right = std::string("\0\xFF\xC3", 3)};
  BOOST_TEST(equal(decode<pair>(encode(original)).value(), original));
}

BOOST_AUTO_TEST_SUITE_END()
