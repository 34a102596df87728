// SinkServer: the HTTP or HTTPS server of `outrider sink`, built on cpp-httplib.
//
// Connections are kept open for as long as the client wants; each holds one thread of the pool, so
// connections_max of them are served at a time and more wait. A started server cannot be closed
// connection by connection: after drain() the process must end. Thread: the handler is called on
// the connections' threads, several at a time.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "sidecar/base/clock.hpp"
#include "sidecar/base/result.hpp"
#include "sidecar/sink/certificate.hpp"
#include "sidecar/sink/received_body.hpp"

namespace outrider::sidecar {

struct SinkRequest {
  std::string content_type;
  std::string content_encoding;   ///< that is still to be undone: gzip is not
  std::string idempotency_key{};  ///< of the request, which its retries repeat
  /// The attributes of a CloudEvent in the binary mode: the body is its data.
  std::optional<Envelope> cloudevent{};
  std::string body;
  bool is_complete = true;  ///< false: too large, or the client went away
};

struct SinkAnswer {
  int status = 200;
  std::string body{};
  std::vector<std::pair<std::string, std::string>> headers{};
};

class SinkServer {
 public:
  static constexpr std::size_t connections_max = 256;
  static constexpr std::size_t body_bytes_max = 64U << 20U;

  using Handler = std::function<SinkAnswer(const SinkRequest&)>;

  /// Binds the address; port 0 takes any free port. Without a certificate it speaks plain HTTP.
  static Result<std::unique_ptr<SinkServer>> listen(const std::string& host, int port,
                                                    const Certificate* certificate,
                                                    Handler handler);

  virtual ~SinkServer() = default;

  virtual int port() const = 0;

  /// Begins to accept, on threads of its own.
  virtual void start() = 0;

  /// Accepts nothing more and waits until the requests at hand are answered, at most `timeout`.
  virtual void drain(Duration timeout) = 0;
};

}  // namespace outrider::sidecar
