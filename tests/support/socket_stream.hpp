// SocketStream: the server's end of one non-blocking TCP connection, plain or TLS.
//
// Used by FaultReceiver. Owns the descriptor. Thread: one at a time. Every call returns at once;
// errors of the connection are `closed`.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "support/certificate.hpp"

struct ssl_ctx_st;
struct ssl_st;

namespace outrider::test {

struct TlsOptions {
  Certificate certificate;
  int version_max = 0;           ///< as OpenSSL numbers it, 0x0302 for TLS 1.1; 0: the newest
  bool chooses_http2 = false;    ///< by ALPN, for scripts that speak it
  bool refuses_http1 = false;    ///< who chooses HTTP/2 speaks nothing else
  std::string client_ca_file{};  ///< who may call: whom one of these has signed; empty: anybody
};

/// What TLS connections have in common. Throws std::runtime_error if the files cannot be used.
using TlsContext = std::shared_ptr<ssl_ctx_st>;
TlsContext make_tls_context(const TlsOptions& options);

class SocketStream {
 public:
  enum class Result { done, again, closed };

  explicit SocketStream(int fd) : fd_(fd) {}
  ~SocketStream();
  SocketStream(const SocketStream&) = delete;
  SocketStream& operator=(const SocketStream&) = delete;

  /// From here on it speaks TLS, as the server.
  void begin_tls(const TlsContext& context);

  /// Appends what is there to `to`; `done` means that there may be more.
  Result read(std::string& to);

  /// Sends from the front of `from` and takes it away; `done` means that all of it is out.
  Result write(std::string_view& from);

  /// The destructor breaks the connection with a RST instead of a FIN.
  void reset_on_close();

  int fd() const { return fd_; }

 private:
  Result result_of(int code) const;

  int fd_;
  ssl_st* ssl_ = nullptr;
};

}  // namespace outrider::test
