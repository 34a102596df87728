// Records for tests: an event with its bytes behind it.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>
#include <vector>

#include <msgpack.hpp>

#include "sidecar/base/record.hpp"

namespace outrider::test {

/// What `pack(packer)` writes with msgpack-c.
template <typename Pack>
std::string packed(const Pack& pack) {
  msgpack::sbuffer buffer;
  msgpack::packer<msgpack::sbuffer> packer(buffer);
  pack(packer);
  return {buffer.data(), buffer.size()};
}

/// Raw bytes, for what msgpack-c would not write.
inline std::string bytes_of(std::initializer_list<unsigned> bytes) {
  std::string out;
  for (const unsigned byte : bytes) out.push_back(static_cast<char>(byte));
  return out;
}

struct RecordFields {
  std::string_view data = "\xc0";
  std::string_view topic = "orders.paid";
  std::uint64_t time_ns = 1'769'860'800'123'456'789;  // 2026-01-31T12:00:00.123456789Z
  std::string_view id_text{};                         // empty: the sixteen bytes 00 01 ... 0f
  std::string_view key{};
  std::string_view trace{};
  std::string_view host{};
};

/// The bytes of a record; read_record() gives the view of them.
inline std::vector<std::uint8_t> make_record(const RecordFields& fields) {
  std::vector<std::uint8_t> id;
  for (std::uint8_t i = 0; i < 16; ++i) id.push_back(i);
  proto::EventView event;
  event.topic = fields.topic;
  event.time_ns = fields.time_ns;
  event.data = proto::as_bytes(fields.data);
  event.attributes.id = proto::as_bytes(fields.id_text);
  event.attributes.id_is_text = !fields.id_text.empty();
  event.attributes.key = fields.key;
  event.attributes.trace = fields.trace;
  const sidecar::RecordContext context{.id = id, .host = fields.host, .arrived = {}};
  std::vector<std::uint8_t> bytes(sidecar::record_bytes(event, context));
  sidecar::write_record(event, context, bytes.data());
  return bytes;
}

}  // namespace outrider::test
