#include <microlith/actors/internal/link/frame.hpp>

#include <rapidcheck.h>

using namespace microlith::internal;

namespace {

struct read_frame {
  frame_kind kind;
  link_bytes payload;
  bool operator==(const read_frame&) const = default;
};

void write(link_bytes& to, const read_frame& what) {
  frame_writer{to, what.kind}.put_bytes(what.payload);
}

std::vector<read_frame> read_in_pieces(frame_reader& reader, std::span<const std::byte> bytes,
                                       const std::vector<std::size_t>& pieces) {
  std::vector<read_frame> found;
  std::size_t piece = 0;
  while (!bytes.empty()) {
    auto size = pieces.empty() ? bytes.size() : std::min(bytes.size(), pieces[piece]);
    piece = pieces.empty() ? 0 : (piece + 1) % pieces.size();
    reader.feed(bytes.first(size));
    bytes = bytes.subspan(size);
    while (auto next = reader.next())
      found.push_back({next->kind, {next->payload.begin(), next->payload.end()}});
  }
  return found;
}

link_bytes header(std::uint32_t length) {
  link_bytes bytes;
  for (int i = 0; i < 4; ++i)
    bytes.push_back(static_cast<std::byte>(length >> (8 * i)));
  return bytes;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(frame)

BOOST_AUTO_TEST_CASE(frames_come_out_as_they_went_in_however_the_bytes_are_cut) {
  BOOST_TEST(rc::check([](const std::vector<std::vector<std::uint8_t>>& payloads,
                          const std::vector<std::uint8_t>& cuts) {
    std::vector<read_frame> frames;
    link_bytes bytes;
    for (const auto& payload : payloads) {
      read_frame one{frame_kind::data, {}};
      for (auto byte : payload)
        one.payload.push_back(static_cast<std::byte>(byte));
      write(bytes, one);
      frames.push_back(std::move(one));
    }
    std::vector<std::size_t> pieces;
    for (auto cut : cuts)
      pieces.push_back(1U + cut % 16U);
    frame_reader reader{max_frame_bytes};
    RC_ASSERT(read_in_pieces(reader, bytes, pieces) == frames);
    RC_ASSERT(reader.broken().empty());
    RC_ASSERT(reader.kept_bytes() == 0U);
  }));
}

BOOST_AUTO_TEST_CASE(the_bytes_are_those_of_the_readme) {
  link_bytes bytes;
  {
    frame_writer ping{bytes, frame_kind::ping};
    ping.put_u64(0x0102);
    ping.put_u8(0xFF);
  }
  link_bytes expected{std::byte{10}, std::byte{0}, std::byte{0}, std::byte{0},   std::byte{7},
                      std::byte{2},  std::byte{1}, std::byte{0}, std::byte{0},   std::byte{0},
                      std::byte{0},  std::byte{0}, std::byte{0}, std::byte{0xFF}};
  BOOST_TEST((bytes == expected));
}

BOOST_AUTO_TEST_CASE(a_frame_of_the_largest_size_is_read_and_a_longer_one_refused) {
  link_bytes largest;
  write(largest, {frame_kind::data, link_bytes(max_frame_bytes - frame_header_bytes)});
  BOOST_TEST(largest.size() == max_frame_bytes);
  frame_reader reader{max_frame_bytes};
  BOOST_TEST(read_in_pieces(reader, largest, {1'000}).size() == 1U);

  frame_reader strict{max_frame_bytes};
  auto longer = header(max_frame_bytes - frame_length_bytes + 1);
  BOOST_TEST(read_in_pieces(strict, longer, {}).empty());
  BOOST_TEST(strict.broken().find("1048573 bytes") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(nothing_is_kept_for_a_frame_that_is_too_long) {
  for (std::size_t piece : {1U, 3U, 4U, 100U}) {
    frame_reader reader{max_handshake_frame_bytes};
    auto bytes = header(0xFFFF'FFFF);
    bytes.resize(50'000);
    BOOST_TEST(read_in_pieces(reader, bytes, {piece}).empty());
    BOOST_TEST(!reader.broken().empty());
    BOOST_TEST(reader.kept_bytes() == 0U);
  }
}

BOOST_AUTO_TEST_CASE(a_frame_without_a_kind_is_refused) {
  frame_reader reader{max_frame_bytes};
  BOOST_TEST(read_in_pieces(reader, header(0), {}).empty());
  BOOST_TEST(!reader.broken().empty());
}

BOOST_AUTO_TEST_CASE(the_limit_changes_with_the_next_frame) {
  link_bytes bytes;
  write(bytes, {frame_kind::welcome, link_bytes(10)});
  write(bytes, {frame_kind::data, link_bytes(5'000)});
  frame_reader reader{max_handshake_frame_bytes};
  reader.feed(bytes);
  BOOST_TEST(reader.next().has_value());
  reader.set_limit(max_frame_bytes);
  BOOST_TEST(reader.next().has_value());
}

BOOST_AUTO_TEST_CASE(fields_beyond_the_end_are_zero_and_said) {
  link_bytes bytes{std::byte{1}, std::byte{2}, std::byte{3}};
  field_reader fields{bytes};
  BOOST_TEST(fields.u8() == 1U);
  BOOST_TEST(fields.ok());
  BOOST_TEST(fields.u32() == 0U);
  BOOST_TEST(!fields.ok());
  BOOST_TEST(fields.u8() == 0U);
  BOOST_TEST(fields.text().empty());
}

BOOST_AUTO_TEST_SUITE_END()
