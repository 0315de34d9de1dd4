#pragma once

// What the drivers share: numbers and switches as options, and a directory of their own.

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <initializer_list>
#include <map>
#include <string>
#include <string_view>
#include <system_error>

namespace microlith::test {

/// `--name value` for numbers, `--name` for switches (a number that is 0 or 1). Ends the program
/// with 2 and a help text where the command line is something else.
class driver_options {
 public:
  struct option {
    std::string_view name;
    std::uint64_t value;  ///< where it is not given
    std::string_view help;
    bool is_switch = false;
  };

  driver_options(int argc, char** argv, std::string_view what,
                 std::initializer_list<option> options) {
    for (const auto& one : options)
      values_[one.name] = one.value;
    for (int i = 1; i < argc; ++i) {
      std::string_view given{argv[i]};
      const option* found = nullptr;
      for (const auto& one : options) {
        if (given.starts_with("--") && given.substr(2) == one.name)
          found = &one;
      }
      char* end = nullptr;
      if (found != nullptr && found->is_switch)
        values_[found->name] = 1;
      else if (found != nullptr && i + 1 < argc)
        values_[found->name] = std::strtoull(argv[++i], &end, 10);
      if (found == nullptr || (!found->is_switch && (end == nullptr || *end != '\0'))) {
        std::printf("%.*s\n\n", static_cast<int>(what.size()), what.data());
        for (const auto& one : options)
          std::printf("  --%-12s %.*s (%llu)\n", std::string{one.name}.c_str(),
                      static_cast<int>(one.help.size()), one.help.data(),
                      static_cast<unsigned long long>(one.value));
        std::exit(given == "--help" ? 0 : 2);
      }
    }
  }

  [[nodiscard]] std::uint64_t operator[](std::string_view name) const { return values_.at(name); }

 private:
  std::map<std::string_view, std::uint64_t> values_;
};

/// Gone at the end, unless something in it is worth looking at.
class scratch_directory {
 public:
  scratch_directory() {
    auto pattern = (std::filesystem::temp_directory_path() / "microlith-crash-XXXXXX").string();
    if (::mkdtemp(pattern.data()) == nullptr) {
      std::perror("cannot make a directory");
      std::exit(2);
    }
    path_ = pattern;
  }
  scratch_directory(const scratch_directory&) = delete;
  scratch_directory& operator=(const scratch_directory&) = delete;
  ~scratch_directory() {
    std::error_code ignored;
    if (!kept_)
      std::filesystem::remove_all(path_, ignored);
  }

  void keep() { kept_ = true; }
  [[nodiscard]] const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
  bool kept_ = false;
};

}  // namespace microlith::test
