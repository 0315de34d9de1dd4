// Each end asks for the proof of the other, whatever the other one asks for.

#include <microlith/actors/internal/link/handshake.hpp>

#include <boost/test/unit_test.hpp>

#include <vector>

using namespace microlith;
using namespace microlith::internal;

namespace {

using step = link_handshake::step;

link_hello hello_of(const std::string& name, const std::string& to) {
  link_hello hello;
  hello.incarnation = message_id::make();
  hello.name = name;
  hello.to = to;
  return hello;
}

/// What one end makes of what the other one has written, frame by frame.
std::vector<step> take(link_handshake& by, const link_bytes& written, link_bytes& out) {
  std::vector<step> steps;
  frame_reader reader{max_handshake_frame_bytes};
  reader.feed(written);
  while (auto next = reader.next()) {
    steps.push_back(by.take(*next, out));
    if (steps.back() == step::claimed)
      by.accept(out);
  }
  return steps;
}

const secret<std::string> one_secret{"the same for all"};
const secret<std::string> another_secret{"that of somebody else"};

/// The end that dials and the end that listens, which has heard the hello of the other.
struct both {
  both(const secret<std::string>& of_dialling, const secret<std::string>& of_listening)
      : dials{true, hello_of("a", "b"), of_dialling},
        listens{false, hello_of("b", ""), of_listening} {
    link_bytes hello;
    dials.begin(hello);
    BOOST_TEST((take(listens, hello, answer) == std::vector{step::claimed}));
  }

  link_handshake dials;
  link_handshake listens;
  link_bytes answer;  ///< of the end that listens: its hello and its proof
};

}  // namespace

BOOST_AUTO_TEST_SUITE(handshake)

BOOST_AUTO_TEST_CASE(who_knows_the_secret_is_proven_to_both_ends) {
  both ends{one_secret, one_secret};
  link_bytes proof;
  BOOST_TEST((take(ends.dials, ends.answer, proof) == std::vector{step::claimed, step::more}));
  link_bytes nothing;
  BOOST_TEST((take(ends.listens, proof, nothing) == std::vector{step::proven}));
  BOOST_TEST(nothing.empty());
}

BOOST_AUTO_TEST_CASE(who_listens_with_another_secret_is_told_no_proof) {
  both ends{one_secret, another_secret};
  link_bytes said;
  BOOST_TEST((take(ends.dials, ends.answer, said) == std::vector{step::claimed, step::failed}));
  frame_reader reader{max_handshake_frame_bytes};
  reader.feed(said);
  auto only = reader.next();
  BOOST_REQUIRE(only.has_value());
  BOOST_TEST((only->kind == frame_kind::refusal));
  BOOST_TEST(!reader.next().has_value());
}

BOOST_AUTO_TEST_CASE(who_dials_with_another_secret_is_refused_whatever_it_asks_for_itself) {
  for (auto each : {std::byte{0}, std::byte{0x5A}, std::byte{0xFF}}) {
    both ends{another_secret, one_secret};
    link_bytes proof;
    {
      frame_writer to{proof, frame_kind::proof};
      to.put_bytes(link_bytes(32, each));
    }
    link_bytes said;
    BOOST_TEST((take(ends.listens, proof, said) == std::vector{step::failed}));
    // And not with what it was told itself.
    both mirrored{another_secret, one_secret};
    frame_reader reader{max_handshake_frame_bytes};
    reader.feed(mirrored.answer);
    static_cast<void>(reader.next());
    auto own_proof = reader.next();
    BOOST_REQUIRE(own_proof.has_value());
    BOOST_TEST((mirrored.listens.take(*own_proof, said) == step::failed));
  }
}

BOOST_AUTO_TEST_SUITE_END()
