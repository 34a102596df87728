#include "sidecar/http/http2_fallback.hpp"

namespace outrider::sidecar {

bool Http2Fallback::learn(std::size_t url, Shown shown, const Now& now) {
  Url& it = urls_[url];
  switch (shown) {
    case Shown::nothing:
      return false;
    case Shown::lost_over_http2:
      // It may have been on its way since before.
      if (takes_http1(url, now) || now.mono < it.http2_until) return false;
      it = {.http1_until = now.mono + http1_for};
      return true;
    case Shown::answered_over_http1:
      it.has_answered = true;
      return false;
    case Shown::refused_http1:
      if (!it.has_answered) it = {.http2_until = now.mono + http2_for};
      return false;
  }
  return false;
}

}  // namespace outrider::sidecar
