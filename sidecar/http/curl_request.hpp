// CurlRequest: one attempt of one http destination, over all its redirects, on its own easy handle.
// curl_transport.hpp describes the request that is sent.
//
// The status is the outcome. Once the final head has arrived, the rest of the answer is read only
// for a moment, so that the connection can be used again: until nothing arrives for quiet_max, or
// for drain_max in total; then the connection is closed. Two cases are waited for: a 2xx that
// arrives before the whole request is sent, and a body that the attempt wants.
//
// Only an answer that arrives after the request on its connection counts (connections.hpp). If
// bytes arrived earlier on a kept connection, or it is in doubt, the request is sent at once on a
// new one: that is not a failure and uses no attempt. A new connection that sends anything before
// the request has failed.
//
// The timeout begins when libcurl has the request, and is checked each turn after the sockets: an
// answer that is already in the kernel is not a timeout, however late the turn is.
//
// Used by CurlTransport. Thread: the sidecar's one thread. Owns: the easy handle and everything
// that it points to, except the body, which belongs to the attempt. Borrows: the multi handle and
// the settings.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <curl/curl.h>

#include "sidecar/base/handle.hpp"
#include "sidecar/deliver/transport.hpp"
#include "sidecar/http/address_health.hpp"
#include "sidecar/http/answer.hpp"
#include "sidecar/http/credentials.hpp"
#include "sidecar/http/curl_multi.hpp"
#include "sidecar/http/http2_fallback.hpp"
#include "sidecar/http/http_settings.hpp"
#include "sidecar/http/tls_session.hpp"
#include "sidecar/http/url_set.hpp"

namespace outrider::sidecar {

inline long whole_ms(Duration duration) {
  return static_cast<long>(std::chrono::ceil<std::chrono::milliseconds>(duration).count());
}

/// The receiver says that this connection is the wrong one for this request.
inline constexpr int misdirected_status = 421;

class CurlRequest final : public CurlListener {
 public:
  class Owner {
   public:
    /// The attempt has completed. May delete the request.
    virtual void finished(CurlRequest& request, Completion completion, const Now& now) = 0;

   protected:
    ~Owner() = default;
  };

  /// `ticket` says which of the urls to take.
  CurlRequest(Owner& owner, CurlMulti& multi, const HttpSettings& settings,
              AddressHealth& addresses, std::shared_ptr<const Credentials> credentials,
              UrlSet::Ticket ticket);
  /// Ends the attempt if it is still under way.
  ~CurlRequest();
  CurlRequest(const CurlRequest&) = delete;
  CurlRequest& operator=(const CurlRequest&) = delete;

  /// Before start().
  void take_new_connection() { needs_new_connection_ = true; }
  /// Where HTTP/2 would be asked for by TLS. Before start().
  void take_http1() { takes_http1_ = true; }

  /// With HTTP/2: for a connection that is being made, and may be good for this request too.
  /// libcurl does not tell whose it is, so who has none under way must not wait. Before start().
  void wait_for_others() { waits_for_others_ = true; }

  /// The completion, if the attempt fails at once; the owner is not told of it then.
  std::optional<Completion> start(const Attempt& attempt, const Now& now);

  AttemptId id() const { return id_; }
  UrlSet::Ticket ticket() const { return ticket_; }

  void done(CURLcode code, const Now& now) override;

  /// Of its version of HTTP. Once it is done.
  Http2Fallback::Shown shown() const;

  /// The outcome is known, and the rest of the answer is not waited for.
  bool has_outcome() const;
  /// When it is to be settled at the latest: its timeout is over, or has_outcome() has been true
  /// for long enough. `never` while it waits for a descriptor.
  MonoTime due_at(const Now& now);
  /// The process was paused for this long: that does not count towards its timeout.
  void make_up_for(Duration lost) {
    if (timeout_at_ != never) timeout_at_ += lost;
  }
  /// Ends a request that has an outcome, or no time left; the owner is notified.
  void settle(const Now& now);

 private:
  using List = Handle<curl_slist, curl_slist_free_all>;
  static void append(List& list, const std::string& line);

  Status fill_templates(const Attempt& attempt);
  bool add_body_headers(const Attempt& attempt, const Now& now);
  bool send();
  void start_answer();
  void set_url();
  void set_http_version();
  void set_headers();
  void set_limits();
  void set_sockets();
  void set_proxy();
  void set_tls();
  void set_trust(const TrustStore& trust);
  void set_system_trust();
  bool may_have_tls_proxy() const;
  bool may_have_http2() const;
  /// HTTP/1.1 goes in place of HTTP/2.
  bool falls_back() const;
  bool refuses_http1() const;

  const HttpUrl& configured_url() const { return settings_.urls[ticket_.url].parts; }
  HttpUrl named_url() const;
  bool is_at_home() const;
  /// Nobody can tell where the body of such a request ends, if its receiver expects none.
  bool is_head() const { return method_ == "HEAD"; }
  /// Its head has come; it may be one that was not asked for.
  bool is_own_answer();
  void learn_of_proxy();
  bool is_sent() const;
  std::uint64_t request_bytes_min() const;
  std::chrono::milliseconds silence_max() const {
    return std::chrono::milliseconds(whole_ms(settings_.timeout));
  }
  /// How much of the request the receiver can have read. Only a success needs all of it.
  enum class Reading : std::uint8_t { whole, under_way, cut };
  Reading reading(const Now& now);
  bool sends_again(CURLcode code);
  void learn_of_peer(CURLcode code, const Now& now);
  long final_status() const;
  long refused_connect_status() const;
  bool follow_redirect(CURLcode code);
  std::string resolved_location() const;
  Status set_redirect(const std::string& location);
  Completion completion(CURLcode code, Reading reading, const Now& now);
  void add_retry_after(unsigned origin, const Now& now, Completion& completion) const;
  std::string header(const char* name, unsigned origin) const;
  std::string explain(CURLcode code) const;
  std::string explain_no_connection(const std::string& reason) const;

  static std::size_t on_head(char* data, std::size_t one, std::size_t bytes, void* self);
  static std::size_t on_answer(char* data, std::size_t one, std::size_t bytes, void* self);
  static CURLcode on_tls_context(CURL* easy, void* context, void* self);
  static int on_socket(void* self, curl_socket_t fd, curlsocktype purpose);
  static curl_socket_t on_open_socket(void* self, curlsocktype purpose, curl_sockaddr* address);
  static int on_close_socket(void* connections, curl_socket_t fd);
  static int on_sending(void* self, char* peer_ip, char* local_ip, int peer_port, int local_port);

  Owner& owner_;
  CurlMulti& multi_;
  const HttpSettings& settings_;
  AddressHealth& addresses_;
  const std::shared_ptr<const Credentials> credentials_;
  const UrlSet::Ticket ticket_;
  CURL* const easy_;

  AttemptId id_ = 0;
  std::string_view body_;
  bool wants_answer_ = false;
  std::string method_;
  std::vector<std::string> body_headers_;  ///< go wherever the body goes
  std::vector<std::string> home_headers_;  ///< go to the configured host alone

  HttpUrl url_;  ///< where it is sent just now
  std::uint64_t redirects_ = 0;
  /// Our own and not libcurl's, which checks the time before it reads the socket. Over all
  /// redirects and connections.
  MonoTime timeout_at_ = never;
  MonoTime started_at_{};
  Connections::Look look_;        ///< at the connection, right before the request was written to it
  bool has_answer_ = false;       ///< something came after the request
  bool is_early_answer_ = false;  ///< it began before all of the request had arrived
  bool needs_new_connection_ = false;
  bool takes_http1_ = false;
  bool waits_for_others_ = false;
  bool has_http2_ = false;             ///< its connection has agreed on it, by TLS
  bool is_connected_ = false;          ///< to the receiver, and not to a proxy alone
  const ssl_st* proxy_tls_ = nullptr;  ///< its session with it, if it made the connection
  PeerKey opened_peer_ = 0;            ///< the last one that a connection was made to
  int opened_fd_ = -1;
  int open_error_ = 0;  ///< errno of the socket that could not be had
  bool avoids_ = true;  ///< addresses that do not answer
  bool has_avoided_ = false;
  List header_list_;
  List connect_to_list_;

  Answer answer_{0};
  std::uint64_t heard_bytes_ = 0;      ///< of the answer, when it was looked at last
  std::optional<CURLcode> done_code_;  ///< libcurl is done; only `reading` is missing
  MonoTime next_reading_at_ = never;
  MonoTime quiet_at_ = never;
  MonoTime drained_at_ = never;
  std::string refused_redirect_;
  std::string refused_address_;
  char error_[CURL_ERROR_SIZE] = "";
};

}  // namespace outrider::sidecar
