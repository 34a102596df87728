// CurlDriver: all HTTP of the sidecar, on one libcurl multi handle and the sidecar's one Reactor.
// It makes the Transport of each http destination; connections are kept alive and shared.
//
// Used by the composition root, which calls do_work() every turn, before it collects from the
// transports. Thread: the sidecar's one thread; never blocks (names are looked up in threads of
// libcurl). Owns: the connections. Borrows: the reactor. Outlives its transports.
//
// What a transport sends: `method url` over HTTP/1.1 with Content-Type, `Idempotency-Key:
// BATCH_ID`, User-Agent and the headers of the configuration; the body goes out from the attempt's
// memory. With signing keys also webhook-id (the batch's id), webhook-timestamp and
// webhook-signature. TLS 1.2 or later, the receiver's certificate is always verified: against
// ca_file alone if there is one, else against the system's store. Redirects are not followed;
// proxies of the environment and .netrc are ignored. Files that have changed are used from the next
// request on, over connections of its own (credentials.hpp).
//
// An attempt is `answered` as soon as a status line has come, whatever breaks after it. At most
// 1 KiB of the answer's body is kept, and a connection whose answer exceeds 1 MiB is cut.
#pragma once

#include <memory>
#include <string_view>

#include "sidecar/base/log.hpp"
#include "sidecar/base/reactor.hpp"
#include "sidecar/base/result.hpp"
#include "sidecar/config/config.hpp"
#include "sidecar/deliver/transport.hpp"

namespace outrider::sidecar {

class CurlMulti;

class CurlDriver {
 public:
  explicit CurlDriver(Reactor& reactor);
  ~CurlDriver();
  CurlDriver(const CurlDriver&) = delete;
  CurlDriver& operator=(const CurlDriver&) = delete;

  /// Fails if a file of the configuration cannot be read or used; secrets never appear in an error.
  /// `log` outlives the transport: it learns of files that change later.
  Result<std::unique_ptr<Transport>> make_transport(const DestinationConfig& config,
                                                    std::string_view content_type, Log& log);

  /// Runs libcurl's timers and collects what is finished.
  void do_work(const Now& now);

  MonoTime next_deadline() const;

 private:
  std::unique_ptr<CurlMulti> multi_;
};

}  // namespace outrider::sidecar
