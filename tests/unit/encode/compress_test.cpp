// Compressed bodies, read by zlib and by zstd's own reader.
#include <gtest/gtest.h>
#include <zlib.h>
#include <zstd.h>

#include "sidecar/encode/compress_encoder.hpp"
#include "sidecar/encode/compressor.hpp"
#include "sidecar/encode/encoder.hpp"
#include "support/records.hpp"

namespace outrider::sidecar {
namespace {

constexpr std::size_t body_bytes_max = 8U << 20U;

std::string gunzip(const std::string& bytes) {
  std::string out(body_bytes_max, '\0');
  z_stream stream{};
  EXPECT_EQ(inflateInit2(&stream, 16 + MAX_WBITS), Z_OK);  // 16: gzip alone
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(bytes.data()));
  stream.avail_in = static_cast<uInt>(bytes.size());
  stream.next_out = reinterpret_cast<Bytef*>(out.data());
  stream.avail_out = static_cast<uInt>(out.size());
  EXPECT_EQ(inflate(&stream, Z_FINISH), Z_STREAM_END);
  EXPECT_EQ(stream.avail_in, 0U) << "bytes behind the end";
  out.resize(stream.total_out);
  inflateEnd(&stream);
  return out;
}

std::string unzstd(const std::string& bytes) {
  std::string out(body_bytes_max, '\0');
  EXPECT_EQ(ZSTD_findFrameCompressedSize(bytes.data(), bytes.size()), bytes.size());
  const std::size_t size = ZSTD_decompress(out.data(), out.size(), bytes.data(), bytes.size());
  EXPECT_EQ(ZSTD_isError(size), 0U);
  out.resize(size);
  return out;
}

std::string decompressed(std::string_view encoding, const std::string& bytes) {
  return encoding == "gzip" ? gunzip(bytes) : unzstd(bytes);
}

void encode(Encoder& encoder, const std::vector<std::string>& data, Body& body) {
  encoder.begin(body);
  for (const std::string& value : data) {
    const std::vector<std::uint8_t> record = test::make_record({.data = value});
    encoder.add(read_record(record.data()), body);
  }
  encoder.end(body);
}

std::vector<std::string> texts(std::size_t count, std::size_t bytes) {
  return std::vector<std::string>(
      count, test::packed([&](auto& packer) { packer.pack(std::string(bytes, 'a')); }));
}

class Compress : public testing::TestWithParam<CompressorRow> {};

TEST_P(Compress, AnotherReaderGetsThePlainBody) {
  const std::string_view name = GetParam().name;
  for (const auto& events : {texts(500, 100), texts(0, 0), texts(1, 1), texts(3, 1U << 20U)}) {
    Body plain;
    encode(*make_encoder({.format = "json"}), events, plain);
    Body body;
    const auto encoder = make_encoder({.format = "json", .compression = name});
    encode(*encoder, events, body);
    EXPECT_EQ(decompressed(name, body.bytes), plain.bytes);
    EXPECT_EQ(encoder->content_encoding(), name);
    EXPECT_EQ(encoder->content_type(), "application/json");
    if (events.size() > 1) {
      EXPECT_LT(body.bytes.size(), plain.bytes.size() / 5);
    }
  }
}

TEST_P(Compress, AtEveryLevel) {
  Body plain;
  encode(*make_encoder({}), texts(50, 50), plain);
  for (int level = 0; level <= GetParam().level_max; ++level) {
    Body body;
    const EncodeSettings settings = {.compression = GetParam().name, .compression_level = level};
    encode(*make_encoder(settings), texts(50, 50), body);
    EXPECT_EQ(decompressed(GetParam().name, body.bytes), plain.bytes) << level;
  }
}

/// All destinations wait while a body is compressed.
TEST_P(Compress, ALargeBodyIsCompressedAtTheQuickestLevel) {
  const auto compressed = [&](int level, std::size_t bytes) {
    std::string text;
    for (std::uint64_t i = 1; text.size() < bytes; ++i) text += std::to_string(i * i) + " ";
    Body body;
    encode(*make_encoder({.compression = GetParam().name, .compression_level = level}),
           {test::packed([&](auto& packer) { packer.pack(text); })}, body);
    return body.bytes;
  };
  const std::size_t large = CompressEncoder::patient_bytes_max;
  EXPECT_EQ(compressed(12, large), compressed(1, large));
  EXPECT_NE(compressed(12, large / 2), compressed(1, large / 2));
}

TEST_P(Compress, IsPlainUntilItIsFinishedAndHasNoEndsAfterwards) {
  const auto encoder = make_encoder({.format = "ndjson", .compression = GetParam().name});
  const std::vector<std::uint8_t> record = test::make_record({.data = "\x01"});
  Body body;
  for (int round = 0; round < 3; ++round) {
    encoder->begin(body);
    encoder->add(read_record(record.data()), body);
    const std::string one = body.bytes;
    encoder->add(read_record(record.data()), body);
    body.take_back();
    EXPECT_EQ(body.bytes, one);
    encoder->end(body);
    EXPECT_EQ(decompressed(GetParam().name, body.bytes), one);
    EXPECT_TRUE(body.event_ends.empty());
  }
}

TEST_P(Compress, LeavesHeadersAndTheRestToTheFormat) {
  const auto encoder =
      make_encoder({.format = "cloudevents_binary", .compression = GetParam().name});
  EXPECT_TRUE(encoder->is_single());
  EXPECT_EQ(encoder->answer_reader(), nullptr);
  Body body;
  encode(*encoder, {"\x01"}, body);
  EXPECT_EQ(decompressed(GetParam().name, body.bytes), "1");
  EXPECT_EQ(body.headers.size(), 5U);
}

INSTANTIATE_TEST_SUITE_P(, Compress, testing::ValuesIn(compressor_rows()),
                         [](const auto& row) { return std::string(row.param.name); });

}  // namespace
}  // namespace outrider::sidecar
