// CurlDriver: all HTTP of the sidecar, on libcurl's multi interface and the sidecar's one Reactor.
// It makes the Transport of each http destination; connections are kept alive and shared.
//
// Used by the composition root, which calls do_work() every turn, before it collects from the
// transports. Thread: the sidecar's one thread; never blocks (names are looked up in threads of
// libcurl). Owns: the connections. Borrows: the reactor. Outlives its transports. A destination
// with nothing in flight costs no handle and no wake-up.
//
// The request of a transport
//   To one of the urls (url_set.hpp): `method url`, the {fields} of both filled in, over HTTP/1.1
//   or HTTP/2, over TCP or a Unix socket. The body goes out from the attempt's memory. Headers:
//   Content-Type, User-Agent, Content-Encoding if the body has one, Idempotency-Key (the batch's
//   id), with signing keys webhook-id (the same), webhook-timestamp and webhook-signature; those of
//   the configuration; those that are secrets; the encoder's headers for this body. Host is the
//   url's, whatever tls_server_name is, unless the configuration sets it. A header whose value is
//   empty is sent empty. A request of method HEAD has no body. Secrets and certificates that have
//   changed are used from the next request on; other certificates mean other connections
//   (credentials.hpp).
//
// Actions that it never takes
//   Trust a certificate that is not verified: against ca_file alone if there is one, else against
//   the system's store, as it was an hour ago at most; TLS 1.2 at least. Agree on a key by
//   Diffie-Hellman over finite fields (tls_offer.hpp). Read .netrc, or proxies of
//   the environment unless told so with proxy = environment. Send `Expect: 100-continue`, a cookie,
//   or a fragment of the url. With deny_private_addresses: connect to an address that is not public
//   (private_address.hpp), or use a connection of a destination without it; each address is checked
//   when it is connected to.
//
// Redirects: up to redirects_max of 301, 302, 307 and 308 are followed, with the same method and
// body, within the attempt's timeout. 303 is not: it asks for a GET, which delivers nothing.
// Another scheme, host or port gets the body and the headers that describe it (Content-Type,
// Content-Encoding, User-Agent, Idempotency-Key, webhook-*, the encoder's headers), no other header
// of the configuration, no credential and not the client's certificate. No redirect is followed
// from https to http, to a Unix socket, or to a url with a password in it. A redirect that is not
// followed is the answer.
//
// A connection is closed connection_age_max after it was made, as soon as no request uses it; a
// name is looked up again after the same time, 60 s at most. So a changed address is found.
// connections.hpp describes idle connections on which something arrives, and those in doubt after a
// timeout; address_health.hpp describes which address of a name is avoided. HTTP/2 sends parallel
// requests on one connection, only those of one destination; without TLS it uses a connection for
// each.
//
// Completions: an attempt is `answered` as soon as a status line has come, whatever breaks after
// it, and completes at the latest a moment after the head of its answer (curl_request.hpp). A proxy
// that refuses CONNECT answers in the receiver's place, with its status and its Retry-After. After
// a 421 the next attempt uses another connection. A reset stream or a GOAWAY of HTTP/2 before that
// is `failed`, like a broken connection; http2_fallback.hpp describes when HTTP/1.1 is used
// instead. It is `unsendable` if a field has no text for this event. An outcome that is tried again
// (outcome.hpp) counts against the url's health; if another url is healthy, has_alternative is set,
// and Retry-After applies only to the one url. A url that is gone (410) is never used again;
// others_remain shows whether there are others. At most 1 KiB of the answer's body is kept, or the
// whole of it if the attempt wants it, all secrets hidden (secret_mask.hpp); a connection whose
// answer exceeds 1 MiB, or 64 KiB of heads and trailers, is cut.
#pragma once

#include <cstdint>
#include <memory>

#include "sidecar/base/helper_thread.hpp"
#include "sidecar/base/log.hpp"
#include "sidecar/base/random.hpp"
#include "sidecar/base/reactor.hpp"
#include "sidecar/base/result.hpp"
#include "sidecar/config/config.hpp"
#include "sidecar/deliver/transport.hpp"

namespace outrider::sidecar {

class CredentialStore;
class CurlMulti;
class FileThreads;
class TrustStores;

class CurlDriver {
 public:
  /// `file_wait_max`: how long a request waits for a look at the files of its credentials.
  explicit CurlDriver(Reactor& reactor,
                      std::chrono::milliseconds file_wait_max = HelperThread::default_wait_max);
  ~CurlDriver();
  CurlDriver(const CurlDriver&) = delete;
  CurlDriver& operator=(const CurlDriver&) = delete;

  /// Fails if a file of the configuration cannot be read or used; secrets never appear in an error.
  /// `log` outlives the transport: it learns of files that change later.
  Result<std::unique_ptr<Transport>> make_transport(const DestinationConfig& config,
                                                    const BodyKind& body, Log& log);

  /// The same in two steps; the first one touches nothing of the driver.
  PrepareTransport preparer(Log& log);

  /// Runs libcurl's timers and collects finished requests.
  void do_work(const Now& now);

  MonoTime next_deadline() const;

 private:
  Result<std::unique_ptr<Transport>> finish(const DestinationConfig& config, const BodyKind& body,
                                            std::unique_ptr<CredentialStore> credentials, Log& log);

  std::unique_ptr<CurlMulti> multi_;
  /// For deny_private_addresses: connections are shared within a multi handle, and a guarded
  /// destination must not get one that was not checked.
  std::unique_ptr<CurlMulti> guarded_multi_;
  /// A look at a file may outlive us.
  std::shared_ptr<TrustStores> trust_stores_;
  std::unique_ptr<FileThreads> files_;
  Random seeds_;
  std::uint64_t http2_transports_ = 0;  ///< made so far
};

}  // namespace outrider::sidecar
