// What the program says or refuses at its start.

#include "apps/auth/running_auth_node.hpp"
#include "support/temporary_directory.hpp"

#include <microlith/persistence/internal/journal_layout.hpp>
#include <microlith/persistence/internal/lmdb.hpp>

#include <boost/test/unit_test.hpp>

#include <filesystem>
#include <fstream>
#include <iterator>

using auth::test::cookie_of;
using auth::test::program;
using auth::test::running_auth_node;
using microlith::test::child_process;
using microlith::test::temporary_directory;

namespace {

child_process::ending run(const std::vector<std::string>& arguments, std::string_view input = {}) {
  return child_process{program, arguments, input}.wait();
}

bool is_one_line(const std::string& text) {
  return !text.empty() && text.find('\n') == text.size() - 1;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(auth_node_start)

BOOST_AUTO_TEST_CASE(the_first_admin_is_made_on_the_command_line) {
  temporary_directory data;
  const std::vector<std::string> create{"--data",  data.path(),      "--password-cost",
                                        "minimum", "--create-admin", "Root@Example.org"};
  auto made = run(create, "correct horse\n");
  BOOST_TEST(made.code == 0, made.err);
  BOOST_TEST(made.out == "registered the admin root@example.org\n");
  auto again = run(create, "correct horse\n");
  BOOST_TEST(again.code == 1);
  BOOST_TEST(again.err.find("is registered already") != std::string::npos);
  BOOST_TEST(is_one_line(again.err));

  running_auth_node node{data.path()};
  auto signed_in =
      node.call("POST", "/api/login", R"({"email":"root@example.org","password":"correct horse"})");
  BOOST_TEST(signed_in.body == R"({"email":"root@example.org","role":"admin"})");
  auto second = node.call("POST", "/api/register",
                          R"({"email":"b@example.org","password":"correct horse","role":"admin"})",
                          {cookie_of(signed_in)});
  BOOST_TEST(second.status == 201);
}

BOOST_AUTO_TEST_CASE(an_admin_needs_an_email_and_a_password_that_will_do) {
  temporary_directory data;
  auto create = [&](const std::string& email, std::string_view input) {
    auto end =
        run({"--data", data.path(), "--password-cost", "minimum", "--create-admin", email}, input);
    BOOST_TEST(is_one_line(end.err), end.err);
    return end.code;
  };
  BOOST_TEST(create("root", "correct horse\n") == 2);
  BOOST_TEST(create("root@example.org", "") == 1);
  BOOST_TEST(create("root@example.org", "short\n") == 1);
  BOOST_TEST(create("root@example.org", std::string(1'025, 'x')) == 1);
}

BOOST_AUTO_TEST_CASE(a_directory_has_one_owner_who_is_named) {
  temporary_directory data;
  running_auth_node node{data.path()};
  auto second = run({"--data", data.path(), "--http", "127.0.0.1:0"});
  BOOST_TEST(second.code == 2);
  BOOST_TEST(is_one_line(second.err), second.err);
  BOOST_TEST(second.err.find(std::to_string(node.process().pid())) != std::string::npos,
             second.err);
  BOOST_TEST(node.call("GET", "/healthz").status == 200);
}

BOOST_AUTO_TEST_CASE(a_port_has_one_server) {
  temporary_directory data;
  running_auth_node node{data.path() / "first"};
  auto second = run({"--data", data.path() / "second", "--password-cost", "minimum", "--http",
                     "127.0.0.1:" + std::to_string(node.port())});
  BOOST_TEST(second.code == 2);
  BOOST_TEST(is_one_line(second.err), second.err);
  BOOST_TEST(second.err.find("port is in use") != std::string::npos, second.err);
}

BOOST_AUTO_TEST_CASE(an_unusable_directory_is_refused_in_one_line) {
  temporary_directory data;
  std::ofstream{data.path() / "file"} << "not a directory";
  for (const auto& directory : {data.path() / "file", data.path() / "file" / "below"}) {
    auto end = run({"--data", directory, "--http", "127.0.0.1:0"});
    BOOST_TEST(end.code == 2);
    BOOST_TEST(is_one_line(end.err), end.err);
    BOOST_TEST(end.err.find((data.path() / "file").string()) != std::string::npos, end.err);
  }
}

BOOST_AUTO_TEST_CASE(a_journal_that_it_cannot_use_is_refused_in_one_line_and_stays_as_it_is) {
  namespace fs = std::filesystem;
  temporary_directory data;
  auto made = run(
      {"--data", data.path(), "--password-cost", "minimum", "--create-admin", "root@example.org"},
      "correct horse\n");
  BOOST_TEST_REQUIRE(made.code == 0, made.err);
  const auto file = data.path() / "journal" / "data.mdb";
  auto content = [&] {
    if (fs::is_directory(file))
      return std::string{};
    std::ifstream in{file, std::ios::binary};
    return std::string{std::istreambuf_iterator<char>{in}, {}};
  };
  auto put = [&](const std::string& all) {
    std::ofstream{file, std::ios::binary | std::ios::trunc} << all;
  };
  auto refused = [&](const std::string& advice) {
    auto before = content();
    auto end = run({"--data", data.path(), "--password-cost", "minimum", "--http", "127.0.0.1:0"});
    BOOST_TEST(end.code == 2);
    BOOST_TEST(is_one_line(end.err), end.err);
    BOOST_TEST(end.err.find(advice) != std::string::npos, end.err);
    BOOST_TEST((content() == before));
  };
  const auto whole = content();
  put(whole.substr(0, 5'000));
  refused("Restore a backup");
  put(std::string(100'000, 'x'));
  refused("Restore a backup");
  put({});
  refused("Restore a backup");
  put(whole);
  {
    using namespace microlith::internal;
    environment env{file.parent_path(), {.map_bytes = std::size_t{16} << 20, .max_tables = 4}};
    lmdb_transaction t{env, lmdb_transaction::access::write};
    auto main = t.open_table(nullptr, 0);
    auto meta = decode_meta(t.find(main, journal_meta_key).value()).value();
    meta.format = journal_format + 1;
    t.put(main, journal_meta_key, encode_meta(meta));
    t.commit();
  }
  refused("use a newer program");
  fs::remove(file);
  fs::create_directory(file);
  refused("Mend the cause");
  fs::remove(file);
  put(whole);
  running_auth_node node{data.path()};
  BOOST_TEST(node.call("GET", "/healthz").status == 200);
}

BOOST_AUTO_TEST_CASE(a_damaged_key_file_is_refused_in_one_line) {
  temporary_directory data;
  std::ofstream{data.path() / "http-key"} << "not 32 bytes";
  auto end = run({"--data", data.path(), "--password-cost", "minimum", "--http", "127.0.0.1:0"});
  BOOST_TEST(end.code == 2);
  BOOST_TEST(is_one_line(end.err), end.err);
  BOOST_TEST(end.err.find((data.path() / "http-key").string()) != std::string::npos, end.err);
}

BOOST_AUTO_TEST_CASE(help_and_version_go_to_standard_output) {
  for (const char* option : {"--help", "--version"}) {
    auto end = run({option});
    BOOST_TEST(end.code == 0);
    BOOST_TEST(end.out.find("auth-node") != std::string::npos, end.out);
    BOOST_TEST(end.err == "");
  }
}

BOOST_AUTO_TEST_CASE(a_bad_option_is_refused_in_one_line) {
  auto end = run({"--colour"});
  BOOST_TEST(end.code == 2);
  BOOST_TEST(is_one_line(end.err), end.err);
}

BOOST_AUTO_TEST_CASE(it_describes_itself_without_touching_any_data) {
  temporary_directory data;
  auto absent = data.path() / "absent";
  auto text = run({"--describe", "--data", absent});
  BOOST_TEST(text.code == 0);
  for (const auto* part :
       {"auth.commands", "auth.queries", "auth.gateway", "auth.register_command",
        "auth.login_command", "auth.logout_command", "auth.user_registered_event",
        "auth.user_logged_in_event", "auth.user_logged_out_event",
        "auth.user_session_extended_event", "auth.register_error_raised", "auth.login_error_raised",
        "auth.current_user_request", "auth.claim_idempotency_key_command",
        "auth.idempotency_key_claimed_event", "auth.idempotency_key_known",
        "auth.idempotency_key_reused"})
    BOOST_TEST(text.out.find(part) != std::string::npos, part);
  auto dot = run({"--describe=dot", "--data", absent});
  BOOST_TEST(dot.code == 0);
  BOOST_TEST(dot.out.starts_with("digraph "));
  BOOST_TEST(!std::filesystem::exists(absent));
}

BOOST_AUTO_TEST_SUITE_END()
