#include "proto/frame_writer.hpp"

#include <cstring>

#include <msgpack.hpp>

namespace outrider::proto {

std::uint8_t* write_event_head(std::uint8_t* out, std::uint32_t element_count,
                               std::string_view topic, std::uint64_t time_ns) {
  *out++ = static_cast<std::uint8_t>(0x90U | element_count);
  if (topic.size() < 32) {
    *out++ = static_cast<std::uint8_t>(0xa0U | topic.size());
  } else {
    *out++ = 0xd9;
    *out++ = static_cast<std::uint8_t>(topic.size());
  }
  std::memcpy(out, topic.data(), topic.size());
  out += topic.size();
  *out++ = 0xcf;
  const std::uint64_t big_endian = __builtin_bswap64(time_ns);
  std::memcpy(out, &big_endian, sizeof big_endian);
  return out + sizeof big_endian;
}

std::string frame_head(const FrameHeaderFields& fields, std::uint32_t event_count) {
  msgpack::sbuffer buffer;
  msgpack::packer<msgpack::sbuffer> packer(buffer);
  const auto pack_text = [&](std::string_view text) {
    packer.pack_str(static_cast<std::uint32_t>(text.size()));
    packer.pack_str_body(text.data(), static_cast<std::uint32_t>(text.size()));
  };
  const bool has_drops = fields.drops != nullptr && !fields.drops->empty();
  const std::uint32_t key_count = (fields.client_id.empty() ? 0U : 1U) +
                                  (fields.sequence == 0 ? 0U : 1U) +
                                  (fields.host.empty() ? 0U : 1U) + (fields.pid == 0 ? 0U : 1U) +
                                  (fields.library.empty() ? 0U : 1U) + (has_drops ? 1U : 0U);

  packer.pack_array(3);
  packer.pack_uint64(1);
  packer.pack_map(key_count);
  if (!fields.client_id.empty()) {
    pack_text("c");
    packer.pack_bin(static_cast<std::uint32_t>(fields.client_id.size()));
    packer.pack_bin_body(reinterpret_cast<const char*>(fields.client_id.data()),
                         static_cast<std::uint32_t>(fields.client_id.size()));
  }
  if (fields.sequence != 0) {
    pack_text("s");
    packer.pack_uint64(fields.sequence);
  }
  if (!fields.host.empty()) {
    pack_text("h");
    pack_text(fields.host);
  }
  if (fields.pid != 0) {
    pack_text("p");
    packer.pack_uint64(fields.pid);
  }
  if (!fields.library.empty()) {
    pack_text("l");
    pack_text(fields.library);
  }
  if (has_drops) {
    pack_text("d");
    packer.pack_map(static_cast<std::uint32_t>(fields.drops->size()));
    for (const auto& [reason, events] : *fields.drops) {
      pack_text(reason);
      packer.pack_uint64(events);
    }
  }
  packer.pack_array(event_count);
  return {buffer.data(), buffer.size()};
}

}  // namespace outrider::proto
