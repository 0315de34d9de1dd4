#include "microlith/cluster_certificates.hpp"

#include "microlith/certificates.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <fstream>
#include <iterator>
#include <stdexcept>
#include <system_error>

namespace tool {

namespace {

using microlith::storage_error;
using microlith::storage_error_kind;

constexpr const char* authority_name = "Microlith test authority";

/// Certificates are used by machines whose clocks differ.
constexpr std::chrono::hours begins_before{1};

storage_error refused(const std::string& what, const std::string& remedy) {
  return {storage_error_kind::unusable, what + ". " + remedy};
}

void write_new(const std::filesystem::path& file, const std::string& text, ::mode_t mode) {
  int made = ::open(file.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, mode);
  bool fine =
      made >= 0 && ::write(made, text.data(), text.size()) == static_cast<ssize_t>(text.size());
  int error = errno;
  if (made >= 0)
    ::close(made);
  if (!fine)
    throw std::system_error{error, std::generic_category(), "cannot write " + file.string()};
}

std::string read_all(const std::filesystem::path& file) {
  std::ifstream from{file, std::ios::binary};
  return {std::istreambuf_iterator<char>{from}, {}};
}

bool is_name(const std::string& node) {
  return !node.empty() && node.size() <= 64 && node != "authority" &&
         node.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789-_") == node.npos;
}

std::filesystem::path file_of(const certificates_wanted& wanted, const std::string& name,
                              const char* extension) {
  return wanted.directory / (name + extension);
}

std::vector<std::filesystem::path> make(const certificates_wanted& wanted) {
  std::vector<std::filesystem::path> made;
  auto now = std::chrono::time_point_cast<std::chrono::seconds>(std::chrono::system_clock::now());
  validity valid{now - begins_before, now + wanted.valid};
  auto put = [&](const std::string& name, const certificate_and_key& of) {
    auto key = file_of(wanted, name, ".key");
    auto certificate = file_of(wanted, name, ".pem");
    write_new(key, of.key, 0600);
    write_new(certificate, of.certificate, 0644);
    made.insert(made.end(), {certificate, key});
  };
  std::filesystem::create_directories(wanted.directory);
  certificate_and_key authority{read_all(file_of(wanted, "authority", ".pem")),
                                read_all(file_of(wanted, "authority", ".key"))};
  if (authority.certificate.empty() && authority.key.empty()) {
    authority = make_authority(authority_name, valid);
    put("authority", authority);
  }
  for (const auto& node : wanted.nodes)
    put(node, issue_certificate(authority, node, valid));
  return made;
}

}  // namespace

microlith::result<std::vector<std::filesystem::path>, storage_error> make_cluster_certificates(
    const certificates_wanted& wanted) {
  auto what = "cannot make certificates in " + wanted.directory.string() + ": ";
  for (const auto& node : wanted.nodes) {
    if (!is_name(node))
      return refused(what + "'" + node + "' is no name of a node",
                     "Use 1 to 64 of a-z, 0-9, - and _, and not 'authority'");
    if (std::count(wanted.nodes.begin(), wanted.nodes.end(), node) > 1)
      return refused(what + node + " is named twice", "Name each node once");
    for (const char* extension : {".pem", ".key"})
      if (std::filesystem::exists(file_of(wanted, node, extension)))
        return refused(what + file_of(wanted, node, extension).string() + " is there already",
                       "Remove the files of a node to have new ones made");
  }
  try {
    return make(wanted);
  } catch (const std::exception& error) {
    return refused(what + error.what(),
                   "Name a directory that this user may write to; remove an authority that is of "
                   "no use");
  }
}

}  // namespace tool
