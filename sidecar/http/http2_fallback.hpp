// Http2Fallback: which urls of a destination are asked over HTTP/1.1 for a while, though HTTP/2 is
// configured.
//
// Where a stream of HTTP/2 ends by an error, libcurl forgets what of its answer it has not handed
// out: with "200" and a reset in one read, the status is lost. The receiver has read the request,
// and would read it again without end. Over HTTP/1.1 the same answer has its status. So after a
// request that was lost in this way, those to its url take HTTP/1.1 for http1_for; then HTTP/2 is
// tried again. A receiver that refuses HTTP/1.1, and never answered over it in this while, is asked
// over HTTP/2 as before, and no HTTP/1.1 is tried for http2_for.
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

  /// What a request has shown.
  enum class Shown : std::uint8_t {
    nothing,
    lost_over_http2,
    answered_over_http1,  ///< instead of HTTP/2, as what follows
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
