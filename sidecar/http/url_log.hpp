// UrlLog: what the log is told of the urls of one destination. Where it has several: that one is
// ill, that it is well again, and that it is gone; while another is well, nobody else says so. Of
// each: that it is asked over HTTP/1.1 for a while, in place of HTTP/2.
//
// Used by CurlTransport. Thread: the sidecar's one thread. Borrows: the log.
// Limits: one line an illness, and one illness in ten seconds; details are cut. How often a url
// falls back is bounded in http2_fallback.hpp.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "sidecar/base/clock.hpp"
#include "sidecar/base/line_limit.hpp"
#include "sidecar/base/log.hpp"
#include "sidecar/deliver/transport.hpp"

namespace outrider::sidecar {

class UrlLog {
 public:
  UrlLog(std::string destination, std::size_t urls, Log& log)
      : destination_(std::move(destination)), log_(log), told_(urls) {}

  /// A request to the url failed, and the url is ill.
  void failed(std::size_t url, const std::string& peer, const Completion& completion,
              const Now& now);
  /// The url is healthy.
  void healthy(std::size_t url, const std::string& peer);
  /// The url is gone. Called once.
  void gone(const std::string& peer, const Completion& completion);
  /// The answer to a request was lost over HTTP/2.
  void falls_back(const std::string& peer, const Completion& completion);

 private:
  std::string destination_;
  Log& log_;
  std::vector<bool> told_;  ///< by url: the log thinks that it is ill
  LineLimit failed_limit_;
};

}  // namespace outrider::sidecar
