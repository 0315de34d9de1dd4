#pragma once

// The cluster file: which nodes there are, where each listens, and which components it hosts.
//
// Reading it checks all that can be checked without looking at the machine; every error names the
// file, the place and what to do. Values; any thread.

#include <microlith/actors/internal/link/limits.hpp>
#include <microlith/messages/result.hpp>
#include <microlith/persistence/error.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace microlith::internal {

/// The name under which a cluster file places the journal.
inline constexpr std::string_view journal_component = "journal";

/// The name of the tool on links; no node has it.
inline constexpr std::string_view operator_name = "operator";

inline constexpr std::size_t max_cluster_nodes = 64;
inline constexpr std::size_t max_cluster_file_bytes = std::size_t{1} << 20;

struct cluster_node {
  std::string name;
  std::string host;  ///< without the brackets of an IPv6 address
  std::uint16_t port = 0;
  std::vector<std::string> hosts;  ///< names of components, in the order of the file

  [[nodiscard]] std::string address() const;
  [[nodiscard]] bool is_loopback() const;
};

/// `{node}` in the paths of certificate and key has been replaced by the node's name; relative
/// paths start at the file's directory.
struct cluster_tls {
  std::filesystem::path certificate;
  std::filesystem::path key;
  std::filesystem::path authority;
};

struct cluster_timings {
  std::chrono::milliseconds silence{2'000};  ///< a peer that says nothing for so long is cut off
  std::chrono::milliseconds lost_after{10'000};  ///< cut off for so long, it counts as gone
};

struct cluster_file {
  std::filesystem::path path;
  std::map<std::string, cluster_node> nodes;
  std::optional<cluster_tls> tls;
  /// Where there is no TLS: what all nodes share; made by the first one. The file's name with
  /// ".secret" after it, unless the file says otherwise.
  std::filesystem::path secret;
  cluster_timings timings;

  /// The node that hosts a component; null: none does.
  [[nodiscard]] const cluster_node* host_of(std::string_view component) const;
  /// That `node` uses where there is TLS.
  [[nodiscard]] cluster_tls tls_of(const std::string& node) const;
};

/// `path` appears in errors, and is where relative paths start.
[[nodiscard]] result<cluster_file, storage_error> parse_cluster_file(
    std::string_view text, const std::filesystem::path& path);
[[nodiscard]] result<cluster_file, storage_error> read_cluster_file(
    const std::filesystem::path& path);

/// What is wrong with the file for this node of a program that has these components. Empty:
/// nothing.
[[nodiscard]] std::optional<std::string> problem_with(const cluster_file& file,
                                                      const std::string& node,
                                                      const std::set<std::string>& components);

/// "127.0.0.1:4101", "[::1]:4101", "a.example.org:4101". Empty where it is none of these.
struct endpoint {
  std::string host;
  std::uint16_t port = 0;
};
[[nodiscard]] std::optional<endpoint> parse_endpoint(std::string_view text);

}  // namespace microlith::internal
