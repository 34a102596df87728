// Http2Fallback: the urls of a destination that use HTTP/1.1 for a while although HTTP/2 is
// configured.
//
// If an HTTP/2 stream ends with an error, libcurl discards the part of its answer that it has not
// handed out: with "200" and a reset in one read, the status is lost. The receiver has read the
// request, and would get it again without end. Over HTTP/1.1 the same answer has its status. So
// after such a loss, requests to the url use HTTP/1.1 for http1_for; then HTTP/2 is tried again. If
// the receiver refuses HTTP/1.1 and gave no answer over it in this time, HTTP/2 is used as before,
// and HTTP/1.1 is not tried for http2_for.
//
// Used by CurlTransport, which owns one, and CurlRequest. Thread: one set, one thread. Plain state,
// one entry a url.
#pragma once

#include <cstdint>
#include <vector>

#include "sidecar/base/clock.hpp"

namespace outrider::sidecar {

class Http2Fallback {
 public:
  static constexpr Duration http1_for = std::chrono::minutes(10);
  static constexpr Duration http2_for = std::chrono::minutes(1);

  /// The evidence of a request.
  enum class Shown : std::uint8_t {
    nothing,
    lost_over_http2,
    answered_over_http1,  ///< instead of HTTP/2, like the next one
    refused_http1,
  };

  explicit Http2Fallback(std::size_t urls) : urls_(urls) {}

  bool takes_http1(std::size_t url, const Now& now) const {
    return now.mono < urls_[url].http1_until;
  }

  /// True: requests to the url take HTTP/1.1 from now on, and did not before.
  bool learn(std::size_t url, Shown shown, const Now& now);

 private:
  struct Url {
    MonoTime http1_until{};
    MonoTime http2_until{};
    bool has_answered = false;  ///< over HTTP/1.1, since requests take it
  };
  std::vector<Url> urls_;
};

}  // namespace outrider::sidecar
