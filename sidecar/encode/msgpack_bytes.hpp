// Appends msgpack to a string. Used by MsgpackEncoder and FieldTransform. Pure functions.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace outrider::sidecar {

inline void put(std::string& out, std::uint32_t byte) {
  out.push_back(static_cast<char>(byte));
}

inline void put_big_endian(std::string& out, std::uint64_t value, std::uint32_t bytes) {
  for (std::uint32_t i = bytes; i > 0; --i) {
    put(out, static_cast<std::uint32_t>((value >> (8 * (i - 1))) & 0xffU));
  }
}

inline void put_text(std::string& out, std::string_view text) {
  const auto size = static_cast<std::uint32_t>(text.size());
  if (size < 32) {
    put(out, 0xa0U | size);
  } else if (size <= 0xff) {
    put(out, 0xd9);
    put(out, size);
  } else {
    put(out, 0xdb);
    put_big_endian(out, size, 4);
  }
  out.append(text);
}

}  // namespace outrider::sidecar
