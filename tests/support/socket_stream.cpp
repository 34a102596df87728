#include "support/socket_stream.hpp"

#include <cerrno>
#include <stdexcept>

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <sys/socket.h>
#include <unistd.h>

namespace outrider::test {
namespace {

constexpr std::size_t read_bytes_max = 64UL * 1024;

int choose_http2(SSL* /*ssl*/, const unsigned char** chosen, unsigned char* chosen_bytes,
                 const unsigned char* offered, unsigned int offered_bytes, void* refuses_http1) {
  static constexpr unsigned char http2[] = {2, 'h', '2'};  // OpenSSL keeps a pointer into it
  unsigned char* found = nullptr;
  const int result =
      SSL_select_next_proto(&found, chosen_bytes, http2, sizeof http2, offered, offered_bytes);
  *chosen = found;
  if (result == OPENSSL_NPN_NEGOTIATED) return SSL_TLSEXT_ERR_OK;
  return refuses_http1 != nullptr ? SSL_TLSEXT_ERR_ALERT_FATAL : SSL_TLSEXT_ERR_NOACK;
}

}  // namespace

TlsContext make_tls_context(const TlsOptions& options) {
  TlsContext context(SSL_CTX_new(TLS_server_method()), SSL_CTX_free);
  if (options.version_max != 0) {
    SSL_CTX_set_security_level(context.get(),
                               0);  // what is too old for us is not even offered else
    SSL_CTX_set_min_proto_version(context.get(), TLS1_VERSION);
    SSL_CTX_set_max_proto_version(context.get(), options.version_max);
  }
  if (options.chooses_http2) {
    SSL_CTX_set_alpn_select_cb(context.get(), choose_http2,
                               options.refuses_http1 ? context.get() : nullptr);
  }
  SSL_CTX_set_mode(context.get(),
                   SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
  const Certificate& files = options.certificate;
  if (SSL_CTX_use_certificate_chain_file(context.get(), files.cert_file.c_str()) != 1 ||
      SSL_CTX_use_PrivateKey_file(context.get(), files.key_file.c_str(), SSL_FILETYPE_PEM) != 1) {
    throw std::runtime_error("cannot use " + files.cert_file + " with " + files.key_file);
  }
  if (!options.client_ca_file.empty()) {
    SSL_CTX_set_verify(context.get(), SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, nullptr);
    if (SSL_CTX_load_verify_file(context.get(), options.client_ca_file.c_str()) != 1) {
      throw std::runtime_error("cannot use " + options.client_ca_file);
    }
  }
  return context;
}

SocketStream::~SocketStream() {
  SSL_free(ssl_);
  close(fd_);
}

void SocketStream::begin_tls(const TlsContext& context) {
  ssl_ = SSL_new(context.get());
  SSL_set_fd(ssl_, fd_);
  SSL_set_accept_state(ssl_);
}

SocketStream::Result SocketStream::result_of(int code) const {
  if (ssl_ == nullptr) return errno == EAGAIN || errno == EINTR ? Result::again : Result::closed;
  const int error = SSL_get_error(ssl_, code);
  ERR_clear_error();
  return error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE ? Result::again
                                                                       : Result::closed;
}

SocketStream::Result SocketStream::read(std::string& to) {
  char buffer[read_bytes_max];
  if (ssl_ != nullptr) {
    const int bytes = SSL_read(ssl_, buffer, sizeof buffer);
    if (bytes <= 0) return result_of(bytes);
    to.append(buffer, static_cast<std::size_t>(bytes));
    return Result::done;
  }
  const ssize_t bytes = recv(fd_, buffer, sizeof buffer, 0);
  if (bytes == 0) return Result::closed;
  if (bytes < 0) return result_of(-1);
  to.append(buffer, static_cast<std::size_t>(bytes));
  return static_cast<std::size_t>(bytes) == sizeof buffer ? Result::done : Result::again;
}

SocketStream::Result SocketStream::write(std::string_view& from) {
  while (!from.empty()) {
    const ssize_t bytes = ssl_ != nullptr
                              ? SSL_write(ssl_, from.data(), static_cast<int>(from.size()))
                              : send(fd_, from.data(), from.size(), MSG_NOSIGNAL);
    if (bytes <= 0) return result_of(static_cast<int>(bytes));
    from.remove_prefix(static_cast<std::size_t>(bytes));
  }
  return Result::done;
}

void SocketStream::reset_on_close() {
  const linger at_once{.l_onoff = 1, .l_linger = 0};
  setsockopt(fd_, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
}

}  // namespace outrider::test
