#include "auth/json_object.hpp"

#include <boost/json/basic_parser_impl.hpp>

namespace auth {

namespace {

// Receives the events of Boost.JSON's parser. Its interface is fixed by
// `boost::json::basic_parser`.
class object_reader {
 public:
  static constexpr std::size_t max_object_size = 64;
  static constexpr std::size_t max_array_size = 4'096;
  static constexpr std::size_t max_key_size = 256;
  static constexpr std::size_t max_string_size = 65'536;

  using error_code = boost::json::error_code;
  using string_view = boost::json::string_view;

  explicit object_reader(json_object& object) : object_{object} {}

  bool on_document_begin(error_code&) { return true; }
  bool on_document_end(error_code&) { return true; }

  bool on_object_begin(error_code& error) {
    if (depth_ > 0)
      take(std::nullopt);
    ++depth_;
    return accept(true, error);
  }
  bool on_object_end(std::size_t, error_code&) {
    --depth_;
    return true;
  }
  bool on_array_begin(error_code& error) {
    if (!accept(depth_ > 0, error))
      return false;
    take(std::nullopt);
    ++depth_;
    return true;
  }
  bool on_array_end(std::size_t, error_code&) {
    --depth_;
    return true;
  }

  bool on_key_part(string_view part, std::size_t, error_code&) {
    key_.append(part.data(), part.size());
    return true;
  }
  bool on_key(string_view part, std::size_t, error_code& error) {
    key_.append(part.data(), part.size());
    if (depth_ != 1) {
      key_.clear();
      return true;
    }
    return accept(object_.emplace(key_, std::nullopt).second, error);
  }
  bool on_string_part(string_view part, std::size_t, error_code&) {
    text_.append(part.data(), part.size());
    return true;
  }
  bool on_string(string_view part, std::size_t, error_code& error) {
    text_.append(part.data(), part.size());
    take(std::exchange(text_, {}));
    return accept(depth_ > 0, error);
  }

  bool on_number_part(string_view, error_code&) { return true; }
  bool on_int64(std::int64_t, string_view, error_code& error) { return other(error); }
  bool on_uint64(std::uint64_t, string_view, error_code& error) { return other(error); }
  bool on_double(double, string_view, error_code& error) { return other(error); }
  bool on_bool(bool, error_code& error) { return other(error); }
  bool on_null(error_code& error) { return other(error); }
  bool on_comment_part(string_view, error_code&) { return true; }
  bool on_comment(string_view, error_code&) { return true; }

 private:
  bool other(error_code& error) {
    take(std::nullopt);
    return accept(depth_ > 0, error);
  }

  // A value of the outermost object belongs to the key before it; what lies deeper is skipped.
  void take(std::optional<std::string> text) {
    if (depth_ == 1)
      object_.find(std::exchange(key_, {}))->second = std::move(text);
  }

  static bool accept(bool is_fine, error_code& error) {
    if (!is_fine)
      error = boost::json::error::syntax;
    return is_fine;
  }

  json_object& object_;
  std::size_t depth_ = 0;
  std::string key_;
  std::string text_;
};

}  // namespace

std::optional<json_object> parse_json_object(std::string_view text) {
  json_object object;
  boost::json::parse_options options;
  options.max_depth = json_depth_limit;
  boost::json::basic_parser<object_reader> parser{options, object};
  boost::json::error_code error;
  auto read = parser.write_some(false, text.data(), text.size(), error);
  if (error || read != text.size())
    return std::nullopt;
  return object;
}

}  // namespace auth
