// How a request comes by its connection, and when it leaves one for another.

#include <cerrno>
#include <string_view>
#include <utility>

#include <netinet/in.h>
#include <sys/socket.h>

#include "sidecar/base/private_address.hpp"
#include "sidecar/http/curl_request.hpp"
#include "sidecar/http/tls_session.hpp"

namespace outrider::sidecar {
namespace {

/// The topmost of the connection that `easy` has just now; null: it has none.
const ssl_st* tls_session(CURL* easy) {
  const curl_tlssessioninfo* info = nullptr;
  curl_easy_getinfo(easy, CURLINFO_TLS_SSL_PTR, &info);
  const bool is_known = info != nullptr && info->backend == CURLSSLBACKEND_OPENSSL;
  return is_known ? static_cast<const ssl_st*>(info->internals) : nullptr;
}

}  // namespace

void CurlRequest::set_sockets() {
  look_ = {};
  opened_peer_ = 0;
  opened_fd_ = -1;
  open_error_ = 0;
  has_avoided_ = false;
  has_http2_ = false;
  is_connected_ = false;
  proxy_tls_ = nullptr;
  has_answer_ = is_early_answer_ = false;
  curl_easy_setopt(easy_, CURLOPT_OPENSOCKETDATA, this);
  curl_easy_setopt(easy_, CURLOPT_OPENSOCKETFUNCTION, &CurlRequest::on_open_socket);
  curl_easy_setopt(easy_, CURLOPT_SOCKOPTDATA, this);
  curl_easy_setopt(easy_, CURLOPT_SOCKOPTFUNCTION, &CurlRequest::on_socket);
  // A connection may outlive the request that made it.
  curl_easy_setopt(easy_, CURLOPT_CLOSESOCKETDATA, &multi_.connections());
  curl_easy_setopt(easy_, CURLOPT_CLOSESOCKETFUNCTION, &CurlRequest::on_close_socket);
  curl_easy_setopt(easy_, CURLOPT_PREREQDATA, this);
  curl_easy_setopt(easy_, CURLOPT_PREREQFUNCTION, &CurlRequest::on_sending);
  if (needs_new_connection_) curl_easy_setopt(easy_, CURLOPT_FRESH_CONNECT, 1L);
}

curl_socket_t CurlRequest::on_open_socket(void* self, curlsocktype /*purpose*/,
                                          curl_sockaddr* address) {
  auto& request = *static_cast<CurlRequest*>(self);
  const auto range =
      request.settings_.deny_private_addresses ? private_range(address->addr) : std::nullopt;
  if (range) {
    request.refused_address_ = request.url_.peer() + " is at " + address_text(address->addr) +
                               " (" + std::string(*range) +
                               "), which deny_private_addresses forbids";
    return CURL_SOCKET_BAD;
  }
  const PeerKey peer = peer_key(address->addr);
  if (request.avoids_ && request.addresses_.is_avoided(peer, request.started_at_)) {
    request.has_avoided_ = true;
    return CURL_SOCKET_BAD;
  }
  request.opened_peer_ = peer;
  const int fd = socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
  request.open_error_ = fd < 0 ? errno : 0;
  return fd;
}

int CurlRequest::on_socket(void* self, curl_socket_t fd, curlsocktype /*purpose*/) {
  auto& request = *static_cast<CurlRequest*>(self);
  request.multi_.connections().opened(fd, request.silence_max());
  request.opened_fd_ = fd;
  return CURL_SOCKOPT_OK;
}

int CurlRequest::on_close_socket(void* connections, curl_socket_t fd) {
  return static_cast<Connections*>(connections)->close(fd);
}

int CurlRequest::on_sending(void* self, char* peer_ip, char* local_ip, int peer_port,
                            int local_port) {
  auto& request = *static_cast<CurlRequest*>(self);
  const bool may_speak_first = request.url_.is_tls || request.may_have_tls_proxy() ||
                               request.settings_.http_version != HttpVersion::http1;
  const ssl_st* const tls = tls_session(request.easy_);
  // libcurl tells the version of an answer alone.
  request.has_http2_ = request.may_have_http2() && tls != nullptr && has_agreed_on_http2(tls);
  request.is_connected_ = true;
  const int port = request.url_.unix_path.empty() ? local_port : 0;
  request.look_ = request.multi_.connections().look({peer_ip,
                                                     peer_port,
                                                     local_ip,
                                                     port,
                                                     request.opened_fd_,
                                                     may_speak_first,
                                                     request.silence_max(),
                                                     {tls, request.proxy_tls_}});
  const bool is_quiet = request.look_.verdict == Connections::Verdict::quiet;
  return is_quiet ? CURL_PREREQFUNC_OK : CURL_PREREQFUNC_ABORT;
}

/// Before the request is written only a proxy answers, to CONNECT; the receiver's session does not
/// exist yet. Afterwards libcurl no longer shows the proxy's.
void CurlRequest::learn_of_proxy() {
  if (!is_connected_) proxy_tls_ = tls_session(easy_);
}

bool CurlRequest::is_own_answer() {
  if (!look_.sent || std::exchange(has_answer_, true)) return true;
  using Received = Connections::Received;
  const Received received = multi_.connections().received(look_, request_bytes_min());
  is_early_answer_ = received != Received::all || !is_sent();
  if (received != Received::nothing) return true;
  using Verdict = Connections::Verdict;
  look_.verdict = look_.is_kept ? Verdict::spoke : Verdict::spoke_first;
  return false;
}

/// The least bytes of the request on an HTTP/1 connection: those of the body, and the least that
/// TLS adds to each record.
std::uint64_t CurlRequest::request_bytes_min() const {
  constexpr std::uint64_t record_bytes_max = 16 << 10;
  constexpr std::uint64_t record_overhead_bytes = 21;
  const std::uint64_t bytes = body_.size();
  return bytes + (url_.is_tls ? bytes / record_bytes_max * record_overhead_bytes : 0);
}

/// To the kernel.
bool CurlRequest::is_sent() const {
  curl_off_t sent_bytes = 0;
  curl_easy_getinfo(easy_, CURLINFO_SIZE_UPLOAD_T, &sent_bytes);
  return sent_bytes >= static_cast<curl_off_t>(body_.size());
}

/// A receiver that has read a request has all its bytes. A success before that counts only once
/// they have arrived; if the connection or the time ends first, it was none. On HTTP/2 a receiver
/// may answer, and then reset the stream because it needs no more (RFC 9113, 8.1); libcurl does not
/// distinguish that from other resets.
CurlRequest::Reading CurlRequest::reading(const Now& now) {
  if (final_status() / 100 != 2) return Reading::whole;
  if (use_of(easy_) == Connections::Use::http2) return Reading::whole;
  if (!is_sent()) return Reading::cut;
  if (!is_early_answer_) return Reading::whole;
  using Received = Connections::Received;
  const Received received = multi_.connections().received(look_, request_bytes_min());
  if (received == Received::all) return Reading::whole;
  const bool is_under_way = received == Received::some && now.mono < timeout_at_;
  return is_under_way ? Reading::under_way : Reading::cut;
}

/// Neither is the receiver's failure, and no attempt is spent: a connection that could not be used,
/// and addresses all of which were to be avoided.
bool CurlRequest::sends_again(CURLcode code) {
  const bool is_spoilt =
      look_.verdict == Connections::Verdict::spoke && !std::exchange(needs_new_connection_, true);
  const bool has_no_other =
      code == CURLE_COULDNT_CONNECT && has_avoided_ && std::exchange(avoids_, false);
  if (!is_spoilt && !has_no_other) return false;
  if (has_no_other) addresses_.forget();
  multi_.remove(easy_);
  return send();
}

void CurlRequest::learn_of_peer(CURLcode code, const Now& now) {
  if (final_status() != 0) {
    addresses_.answered(look_.peer);
    multi_.connections().settled(look_, use_of(easy_));
    return;
  }
  if (code == CURLE_OPERATION_TIMEDOUT) multi_.connections().doubt(look_);
  const PeerKey peer = look_.peer != 0 ? look_.peer : opened_peer_;
  // libcurl itself leaves an address that refuses at once.
  const bool has_connected = code != CURLE_COULDNT_CONNECT && code != CURLE_COULDNT_RESOLVE_HOST &&
                             code != CURLE_COULDNT_RESOLVE_PROXY;
  if (peer != 0 && has_connected) addresses_.failed(peer, now.mono);
}

/// By an agreement: without TLS it is spoken unasked, to receivers that may know nothing else.
bool CurlRequest::may_have_http2() const {
  return url_.is_tls && settings_.http_version == HttpVersion::http2;
}

bool CurlRequest::falls_back() const {
  return takes_http1_ && may_have_http2();
}

bool CurlRequest::refuses_http1() const {
  constexpr long upgrade_required = 426;
  constexpr long version_not_supported = 505;
  const long status = final_status();
  return falls_back() && (status == upgrade_required || status == version_not_supported);
}

/// A request that was certainly not read is not lost. libcurl itself sends refused streams again,
/// until it gives up; after a GOAWAY without an answer its error is CURLE_HTTP2. An answer that
/// breaks the rules of the whole session keeps its status.
Http2Fallback::Shown CurlRequest::shown() const {
  using Shown = Http2Fallback::Shown;
  if (refuses_http1()) return Shown::refused_http1;
  if (final_status() != 0) return falls_back() ? Shown::answered_over_http1 : Shown::nothing;
  if (look_.verdict != Connections::Verdict::quiet || !done_code_) return Shown::nothing;
  const bool is_refused = std::string_view(error_).starts_with("Connection died, tried");
  const bool was_read = has_http2_ && !is_refused;
  switch (*done_code_) {
    case CURLE_HTTP2_STREAM:
    case CURLE_PARTIAL_FILE:
      return was_read ? Shown::lost_over_http2 : Shown::nothing;
    case CURLE_GOT_NOTHING:
    case CURLE_RECV_ERROR:
      if (was_read) return Shown::lost_over_http2;
      [[fallthrough]];
    case CURLE_SSL_CONNECT_ERROR:
    case CURLE_SEND_ERROR:
    case CURLE_UNSUPPORTED_PROTOCOL:  // frames, where a status line belongs
    case CURLE_WEIRD_SERVER_REPLY:
      return falls_back() && opened_fd_ >= 0 ? Shown::refused_http1 : Shown::nothing;
    default:
      return Shown::nothing;
  }
}

}  // namespace outrider::sidecar
