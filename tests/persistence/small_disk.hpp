#pragma once

// A small file system in memory, for tests of a full disk and of one that may only be read. Only
// root may have one; without it a test says "skipped".

#include <boost/test/unit_test.hpp>
#include <sys/mount.h>

#include <filesystem>
#include <fstream>
#include <string>
#include <utility>

namespace sample {

class small_disk {
 public:
  explicit small_disk(std::filesystem::path at) : at_{std::move(at)} {
    std::filesystem::create_directories(at_);
    mounted_ = ::mount("tmpfs", at_.c_str(), "tmpfs", 0, "size=2m") == 0;
    if (!mounted_)
      BOOST_TEST_MESSAGE("skipped: only root can make a small file system");
  }
  ~small_disk() {
    if (mounted_)
      ::umount2(at_.c_str(), MNT_DETACH);
  }
  small_disk(const small_disk&) = delete;
  small_disk& operator=(const small_disk&) = delete;

  [[nodiscard]] explicit operator bool() const { return mounted_; }
  [[nodiscard]] const std::filesystem::path& path() const { return at_; }

  void make_read_only(bool read_only) {
    unsigned long flags = MS_REMOUNT;
    if (read_only)
      flags |= MS_RDONLY;
    BOOST_TEST_REQUIRE(::mount("tmpfs", at_.c_str(), "tmpfs", flags, "size=2m") == 0);
  }

  /// Takes all the room that is left, or gives it back.
  void fill() const {
    std::ofstream ballast{at_ / "ballast", std::ios::binary | std::ios::app};
    const std::string block(4096, 'x');
    while (ballast.write(block.data(), static_cast<std::streamsize>(block.size())).flush()) {
    }
  }
  void empty() const { std::filesystem::remove(at_ / "ballast"); }

 private:
  std::filesystem::path at_;
  bool mounted_ = false;
};

}  // namespace sample
