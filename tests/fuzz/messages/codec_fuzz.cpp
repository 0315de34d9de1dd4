// Decoding a message with every type of field: any bytes give a value or an error, never more; a
// value is encoded as the bytes that it came from, and can be printed.

#include "fuzz/fuzz.hpp"
#include "messages/everything.hpp"

#include <microlith/messages/codec.hpp>
#include <microlith/messages/print.hpp>

#include <algorithm>

using namespace microlith;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  auto in = std::as_bytes(std::span{data, size});
  auto value = decode<sample::everything>(in);
  if (!value) {
    test::must(!to_string(value.error()).empty(), "an error says what is wrong");
    test::planted_bug(value.error().field.starts_with("lines[0].points"));
    return 0;
  }
  test::must(std::ranges::equal(encode(*value), in), "each value has exactly one encoding");
  test::must(!print(*value).empty(), "what can be decoded can be printed");
  return 0;
}
