#include <microlith/messages/codec.hpp>

#include <stdexcept>

namespace microlith {

namespace internal {

void refuse_length(std::size_t length) {
  throw std::length_error("cannot encode a string or container of " + std::to_string(length) +
                          " elements: the wire format counts in 32 bits; split it");
}

void refuse_depth() {
  throw std::length_error("cannot encode structs nested deeper than " +
                          std::to_string(max_struct_depth) + ": nothing would read them back");
}

void refuse_enumerator(const std::string& number) {
  throw std::invalid_argument("cannot encode the enum value " + number +
                              ": it is none of the enumerators that BOOST_DESCRIBE_ENUM lists");
}

}  // namespace internal

bool byte_reader::finish() {
  if (!failed() && next_ != end_)
    fail(std::to_string(left()) + " bytes are left over: the message ends before the input does");
  return !failed();
}

decode_error byte_reader::take_error(std::string_view type) {
  decode_error error = std::move(*error_);
  error.type = type;
  return error;
}

bool byte_reader::fail(std::string reason) {
  error_ = std::make_unique<decode_error>();
  error_->offset = static_cast<std::size_t>(next_ - begin_);
  error_->reason = std::move(reason);
  return false;
}

bool byte_reader::fail_short(std::size_t needed) {
  return fail("the input ends here: " + std::to_string(needed) + " bytes are needed, " +
              std::to_string(left()) + " are left");
}

bool byte_reader::fail_length(std::size_t length, std::size_t smallest) {
  auto there = left();
  next_ -= sizeof(length_prefix);
  return fail("a length of " + std::to_string(length) + " needs at least " +
              std::to_string(smallest) + " bytes each, " + std::to_string(there) + " are left");
}

bool byte_reader::fail_enum(std::string number) {
  return fail(std::move(number) + " is none of the enumerators");
}

bool byte_reader::get_flag(std::uint8_t& flag) {
  if (!get_word(flag))
    return false;
  if (flag <= 1) [[likely]]
    return true;
  --next_;
  return fail("a flag must be 0 or 1, not " + std::to_string(flag));
}

bool byte_reader::get_zero() {
  std::uint8_t zero = 0;
  if (!get_word(zero))
    return false;
  if (zero == 0) [[likely]]
    return true;
  --next_;
  return fail("a struct without fields must be a byte of 0, not " + std::to_string(zero));
}

}  // namespace microlith
