// HTTP/2 by hand, for peers that break its rules: frames as in RFC 9113, section 4.1, and reading
// and writing them over TLS.
//
// Used by tests of sidecar/http. A frame is a head of nine bytes (length, type, flags, stream) and
// its payload.
#pragma once

#include <cstddef>
#include <string>

#include <openssl/ssl.h>

namespace outrider::test::http2 {

inline constexpr std::size_t frame_head_bytes = 9;
inline constexpr std::size_t preface_bytes = 24;
inline constexpr char data_frame = 0;
inline constexpr char headers_frame = 1;
inline constexpr char reset_frame = 3;
inline constexpr char settings_frame = 4;
inline constexpr char ping_frame = 6;
inline constexpr char goaway_frame = 7;
inline constexpr char window_frame = 8;
inline constexpr char more_headers_frame = 9;
inline constexpr char end_stream = 1;
inline constexpr char end_headers = 4;
inline constexpr char end_of_headers_and_stream = end_stream | end_headers;
inline constexpr char internal_error = 2;
inline constexpr char refused_stream = 7;
inline const std::string status_200 = "\x88";  // a row of HPACK's static table

inline std::string frame(char type, int flags, char stream, const std::string& payload) {
  const auto byte = [](std::size_t value) { return static_cast<char>(value & 0xffU); };
  const std::size_t bytes = payload.size();
  return std::string{byte(bytes >> 16U), byte(bytes >> 8U), byte(bytes), type,
                     static_cast<char>(flags)} +
         std::string{'\0', '\0', '\0', stream} + payload;
}

inline std::size_t payload_bytes(const std::string& head) {
  const auto byte = [&](std::size_t at) { return static_cast<unsigned char>(head[at]); };
  return static_cast<std::size_t>(byte(0) << 16U | byte(1) << 8U | byte(2));
}

/// All of them, or "" at the end of the connection.
inline std::string read_tls(SSL* ssl, std::size_t bytes) {
  std::string text(bytes, '\0');
  for (std::size_t at = 0; at < bytes;) {
    const int got = SSL_read(ssl, text.data() + at, static_cast<int>(bytes - at));
    if (got <= 0) return "";
    at += static_cast<std::size_t>(got);
  }
  return text;
}

inline void write_tls(SSL* ssl, const std::string& text) {
  SSL_write(ssl, text.data(), static_cast<int>(text.size()));
}

}  // namespace outrider::test::http2
