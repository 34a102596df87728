// Checking frames and encoding bodies allocates nothing once everything has found its size. A
// program of its own, because it counts every call of operator new.
#include <atomic>
#include <cstdlib>
#include <new>

#include <gtest/gtest.h>

#include "proto/frame_reader.hpp"
#include "proto/frame_writer.hpp"
#include "sidecar/encode/encoder.hpp"
#include "support/records.hpp"

namespace {
std::atomic<int> allocations = 0;
}

// Not inlined: gcc would see free() meet operator new in one place and warn.
[[gnu::noinline]] void* operator new(std::size_t size) {
  ++allocations;
  void* memory = std::malloc(size);
  if (memory == nullptr) throw std::bad_alloc();
  return memory;
}
void operator delete(void* memory) noexcept {
  std::free(memory);
}
[[gnu::noinline]] void operator delete(void* memory, std::size_t) noexcept {
  std::free(memory);
}

namespace outrider::sidecar {
namespace {

constexpr std::uint32_t event_count = 300;

/// How often `work` allocates the third time it runs.
template <typename Work>
int allocations_of(const Work& work) {
  work();
  work();
  const int before = allocations;
  work();
  return allocations - before;
}

std::string data_of_many_kinds() {
  return test::packed([](auto& packer) {
    packer.pack_map(5);
    packer.pack("text");
    packer.pack("grüße \"quoted\" \xff and a good deal more than sixteen bytes");
    packer.pack("amount");
    packer.pack(49.99);
    packer.pack("ratio");
    packer.pack(1.0 / 3);
    packer.pack("list");
    packer.pack(std::vector<int>{1, -2, 70'000});
    packer.pack("ok");
    packer.pack(true);
  });
}

TEST(Allocation, NoneInEncodersOnceTheyHaveFoundTheirSize) {
  const std::string data = data_of_many_kinds();
  const std::vector<std::uint8_t> record =
      test::make_record({.data = data, .key = "user-9", .host = "web-1"});
  const FieldRules rules = {.redact = {parse_field_path("data.list.*").value()},
                            .drop = {parse_drop("data.ok").value()},
                            .rename = {parse_rename("data.text: a_longer_name_of_it").value()},
                            .fixed = {parse_static_field("data.env: production").value()}};
  for (const EncoderRow& row : encoder_rows()) {
    for (const std::string_view compression : {"", "gzip", "zstd"}) {
      const std::unique_ptr<Encoder> encoder =
          make_encoder({.format = row.name, .compression = compression, .rules = rules});
      const std::uint32_t events = encoder->is_single() ? 1 : event_count;
      Body body;
      const int allocations = allocations_of([&] {
        encoder->begin(body);
        for (std::uint32_t i = 0; i < events; ++i) encoder->add(read_record(record.data()), body);
        encoder->end(body);
      });
      // Headers are handed on as strings of their own.
      EXPECT_LE(allocations, static_cast<int>(body.headers.size()))
          << row.name << " " << compression;
    }
  }
}

TEST(Allocation, NoneInTheFrameCheckOnceItHasFoundItsSize) {
  std::string frame = proto::frame_head({.host = "web-1"}, event_count);
  const std::string data = data_of_many_kinds();
  for (std::uint32_t i = 0; i < event_count; ++i)
    frame +=
        "\x93\xa3"
        "a.b"
        "\x05" +
        data;
  proto::FrameReader reader({.frame_bytes_max = 1U << 20U, .event_bytes_max = 1U << 16U});
  int refused = 0;
  EXPECT_EQ(allocations_of([&] {
              refused += reader.open(proto::as_bytes(frame)) == proto::Refusal::none ? 0 : 1;
              for (std::size_t left = reader.event_count(); left > 0; --left) {
                proto::EventView event;
                refused += reader.next(event) == proto::Refusal::none ? 0 : 1;
              }
            }),
            0);
  EXPECT_EQ(refused, 0);
  EXPECT_EQ(reader.event_count(), event_count);
}

}  // namespace
}  // namespace outrider::sidecar
