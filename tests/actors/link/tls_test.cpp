#include "link_proxy.hpp"
#include "microlith/certificates.hpp"
#include "running_links.hpp"
#include "simulated_network.hpp"

#include <microlith/actors/internal/link/certificate.hpp>
#include <microlith/actors/internal/link/tls.hpp>

#include <fstream>

using namespace microlith;
using namespace microlith::test;

namespace {

tool::validity days_from_now(int from, int to) {
  auto now = std::chrono::time_point_cast<std::chrono::seconds>(std::chrono::system_clock::now());
  return {now + std::chrono::days{from}, now + std::chrono::days{to}};
}

/// Files of an authority and of nodes that it vouches for.
struct authority {
  explicit authority(const std::string& name = "one") : name_{name} {
    write(name_ + ".authority.pem", own.certificate);
  }

  [[nodiscard]] internal::link_tls files_of(const std::string& node,
                                            tool::validity valid = days_from_now(-1, 1)) {
    auto made = tool::issue_certificate(own, node, valid);
    return {write(node + ".pem", made.certificate), write(node + ".key", made.key),
            directory.path() / (name_ + ".authority.pem")};
  }

  std::filesystem::path write(const std::string& file, const std::string& text) {
    std::ofstream{directory.path() / file} << text;
    return directory.path() / file;
  }

  temporary_directory directory;
  std::string name_;
  tool::certificate_and_key own = tool::make_authority("an authority", days_from_now(-1, 1));
};

link_options node_with(const std::string& name, internal::link_tls tls) {
  link_options options;
  options.name = name;
  options.tls = std::move(tls);
  options.silence_limit = patient;
  return options;
}

/// b with a certificate of its own, and a with the given one: whether they join, and what a says.
struct attempt {
  attempt(authority& of, internal::link_tls of_a, const std::string& name_of_a = "a")
      : b{[&] {
          auto options = node_with("b", of.files_of("b"));
          options.peers = {{"a", "127.0.0.1:1"}};
          return options;
        }()},
        a{[&] {
          auto options = node_with(name_of_a, std::move(of_a));
          options.peers = {{"b", b.address()}};
          return options;
        }()} {}

  running_links b;
  running_links a;
};

}  // namespace

BOOST_AUTO_TEST_SUITE(tls)

BOOST_AUTO_TEST_CASE(nodes_with_certificates_of_one_authority_talk) {
  authority of;
  attempt two{of, of.files_of("a")};
  BOOST_REQUIRE(two.a.events.wait_for("joined b"));
  BOOST_REQUIRE(two.b.events.wait_for("joined a"));
  std::string large(2'000'000, 'x');
  for (int i = 0; i < 500; ++i)
    BOOST_TEST((two.a.send("b", std::to_string(i)) == sent::taken));
  BOOST_TEST((two.b.send("a", large) == sent::taken));
  BOOST_REQUIRE(two.b.events.wait_for_messages(500));
  BOOST_REQUIRE(two.a.events.wait_for_messages(1));
  BOOST_TEST(two.b.events.messages()[499] == "499");
  BOOST_TEST((two.a.events.messages()[0] == large));
}

BOOST_AUTO_TEST_CASE(a_certificate_of_another_node_does_not_open_this_nodes_place) {
  authority of;
  attempt two{of, of.files_of("c")};  // c's certificate, a's name
  BOOST_TEST(two.a.wait_for_problem("b", "subject alternative name"));
  BOOST_TEST(two.a.events.told().empty());
  BOOST_TEST(two.b.events.told().empty());
}

BOOST_AUTO_TEST_CASE(a_listening_node_with_another_nodes_certificate_is_not_joined) {
  authority of;
  auto b_options = node_with("b", of.files_of("c"));
  b_options.peers = {{"a", "127.0.0.1:1"}};
  running_links b{b_options};
  auto a_options = node_with("a", of.files_of("a"));
  a_options.peers = {{"b", b.address()}};
  running_links a{a_options};
  BOOST_TEST(a.wait_for_problem("b", "not a subject alternative name of its certificate"));
  BOOST_TEST(a.events.told().empty());
  BOOST_TEST(b.events.told().empty());
}

BOOST_AUTO_TEST_CASE(expired_and_not_yet_valid_certificates_are_refused) {
  for (auto valid : {days_from_now(-2, -1), days_from_now(1, 2)}) {
    authority of;
    attempt two{of, of.files_of("a", valid)};
    BOOST_TEST(two.a.wait_for_problem("b", "cannot reach b"));
    BOOST_TEST(two.a.events.told().empty());
    BOOST_TEST(two.b.events.told().empty());
  }
}

BOOST_AUTO_TEST_CASE(a_certificate_of_another_authority_is_refused) {
  authority of;
  authority other{"other"};
  auto files = other.files_of("a");
  files.authority = of.files_of("unused").authority;
  attempt two{of, files};
  BOOST_TEST(two.a.wait_for_problem("b", "cannot reach b"));
  BOOST_TEST(two.a.events.told().empty());
  BOOST_TEST(two.b.events.told().empty());
}

BOOST_AUTO_TEST_CASE(strangers_without_tls_get_nothing_and_harm_nothing) {
  authority of;
  attempt two{of, of.files_of("a")};
  BOOST_REQUIRE(two.a.events.wait_for("joined b"));
  temporary_directory directory;
  auto plain = named("a", directory);
  plain.peers = {{"b", two.b.address()}};
  running_links stranger{plain};
  BOOST_TEST(stranger.wait_for_problem("b", "cannot reach b"));
  BOOST_TEST(stranger.events.told().empty());
  raw_connection garbage{two.b.address()};
  garbage.write(internal::link_bytes(50'000, std::byte{0x16}));
  BOOST_TEST(garbage.read_to_end().size() < 100U);  // an alert at most
  BOOST_TEST((two.a.send("b", "still here") == sent::taken));
  BOOST_TEST(two.b.events.wait_for_messages(1));
}

BOOST_AUTO_TEST_CASE(files_that_do_not_fit_are_refused_with_words) {
  authority of;
  auto problem_of = [&](const internal::link_tls& files) {
    auto loaded = internal::tls_context::load(files);
    return loaded ? std::string{} : loaded.error().text;
  };
  auto files = of.files_of("a");
  BOOST_TEST(problem_of(files) == "");
  auto other_key = files;
  other_key.key = of.files_of("b").key;
  BOOST_TEST(problem_of(other_key).find("cannot use the key") == 0U);
  for (auto which : {&internal::link_tls::certificate, &internal::link_tls::key,
                     &internal::link_tls::authority}) {
    auto missing = files;
    missing.*which = "nowhere.pem";
    BOOST_TEST(problem_of(missing).find("nowhere.pem for links: it cannot be read (No such file or "
                                        "directory). Name ") != std::string::npos,
               problem_of(missing));
  }
  auto garbled = files;
  garbled.authority = of.write("garbled.pem", "nonsense");
  BOOST_TEST(problem_of(garbled).find("cannot use the authority") == 0U);
}

BOOST_AUTO_TEST_CASE(what_others_would_not_accept_of_a_node_is_known_before) {
  authority of;
  auto problem_of = [&](const std::string& node, tool::validity valid) {
    return internal::problem_with_certificate(of.files_of(node, valid).certificate, "a");
  };
  BOOST_TEST(problem_of("a", days_from_now(-1, 1)) == "");
  BOOST_TEST(problem_of("b", days_from_now(-1, 1)) == "no subject alternative name of it is DNS:a");
  BOOST_TEST(problem_of("a", days_from_now(-2, -1)) == "it has expired");
  BOOST_TEST(problem_of("a", days_from_now(1, 2)) == "it is not valid yet");
}

BOOST_AUTO_TEST_CASE(connections_cut_in_the_middle_of_what_is_encrypted_heal) {
  authority of;
  simulated_network net;
  for (std::string name : {"a", "b"})
    net.add(name, {name == "a" ? "b" : "a"}, {}, *internal::tls_context::load(of.files_of(name)));
  net.start();
  net.run(1s);
  auto& a = *net.nodes["a"];
  auto& b = *net.nodes["b"];
  for (int i = 0; i < 10; ++i) {
    for (int k = 0; k < 20; ++k)
      BOOST_TEST((a.say("b", 20'000) == sent::taken));
    net.run(5ms);
    net.cut_connections();
    net.run(1s);
  }
  net.run(1s);
  BOOST_TEST(b.with["a"].heard == 200U);
  BOOST_TEST(a.with["b"].losses == 0U);
  BOOST_TEST(a.wrong.empty());
  BOOST_TEST(b.wrong.empty());
}

BOOST_AUTO_TEST_SUITE_END()
