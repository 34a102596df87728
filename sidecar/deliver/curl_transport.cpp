#include "sidecar/deliver/curl_transport.hpp"

#include <algorithm>
#include <optional>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include <curl/curl.h>
#include <sys/epoll.h>

#include "sidecar/base/units.hpp"
#include "sidecar/deliver/credentials.hpp"
#include "sidecar/deliver/http_settings.hpp"
#include "sidecar/deliver/retry_after.hpp"

namespace outrider::sidecar {

namespace {

constexpr std::size_t answer_head_bytes_max = 1024;
constexpr std::size_t answer_bytes_max = 1U << 20U;
constexpr long upload_buffer_bytes = 64L * 1024;
constexpr long idle_connections_max = 256;
constexpr long connection_seconds_max = 300;

long whole_ms(Duration duration) {
  return static_cast<long>(std::chrono::ceil<std::chrono::milliseconds>(duration).count());
}

/// The blob stays in the memory of `pem`, which outlives the handle. libcurl compares blobs when it
/// looks for a connection, so one that was made with other certificates is not used.
void set_blob(CURL* easy, CURLoption option, const std::string& pem) {
  curl_blob blob{const_cast<char*>(pem.data()), pem.size(), CURL_BLOB_NOCOPY};
  curl_easy_setopt(easy, option, &blob);
}

}  // namespace

/// The multi handle, its sockets on the reactor, and its one timer.
class CurlMulti {
 public:
  explicit CurlMulti(Reactor& reactor);
  ~CurlMulti();
  CurlMulti(const CurlMulti&) = delete;
  CurlMulti& operator=(const CurlMulti&) = delete;

  bool add(CURL* easy) { return curl_multi_add_handle(multi_, easy) == CURLM_OK; }
  void remove(CURL* easy) { curl_multi_remove_handle(multi_, easy); }
  void do_work(const Now& now);
  MonoTime next_deadline() const;

 private:
  static int on_socket_change(CURL* easy, curl_socket_t fd, int what, void* self, void* socket);
  static int on_timer_change(CURLM* multi, long timeout_ms, void* self);
  void on_ready(int fd, std::uint32_t events);
  void finish_done(const Now& now);

  Reactor& reactor_;
  CURLM* multi_;
  /// Set by libcurl since the last turn. It counts from the next turn on, for a callback does not
  /// know what time it is.
  std::optional<Duration> new_timeout_;
  MonoTime deadline_ = never;
  MonoTime last_turn_{};
};

namespace {

class CurlTransport;

/// What the requests that are made with one snapshot of the credentials share.
struct SharedSettings {
  std::shared_ptr<const Credentials> credentials;
  curl_slist* headers = nullptr;

  SharedSettings() = default;
  SharedSettings(const SharedSettings&) = delete;
  SharedSettings& operator=(const SharedSettings&) = delete;
  ~SharedSettings() { curl_slist_free_all(headers); }
};

/// One easy handle with what it needs while it runs; used for many requests in turn.
struct CurlRequest {
  CurlTransport* owner = nullptr;
  CURL* easy = nullptr;
  AttemptId id = 0;
  std::shared_ptr<const SharedSettings> shared;
  std::vector<std::string> own_headers;
  std::vector<curl_slist> header_links;  ///< own_headers, and then the shared ones
  std::string answer_head;
  std::size_t answer_bytes = 0;
  char error[CURL_ERROR_SIZE] = "";

  CurlRequest() = default;
  CurlRequest(const CurlRequest&) = delete;
  CurlRequest& operator=(const CurlRequest&) = delete;
  ~CurlRequest() { curl_easy_cleanup(easy); }
};

/// One http destination.
class CurlTransport final : public Transport {
 public:
  CurlTransport(CurlMulti& multi, HttpSettings settings,
                std::unique_ptr<CredentialStore> credentials);
  ~CurlTransport() override;
  CurlTransport(const CurlTransport&) = delete;
  CurlTransport& operator=(const CurlTransport&) = delete;

  void start(const Attempt& attempt, const Now& now) override;
  void cancel(AttemptId id) override;
  void collect(const Now& now, std::vector<Completion>& completions) override;
  void close(MonoTime /*deadline*/) override {}

  void finish(CurlRequest& request, CURLcode code, const Now& now);

 private:
  using Requests = std::vector<std::unique_ptr<CurlRequest>>;

  void refresh_credentials(const Now& now);
  std::unique_ptr<CurlRequest> make_request();
  std::unique_ptr<CurlRequest> take_request();
  void set_limits(CURL* easy) const;
  static void set_security(CURL* easy);
  static void set_credentials(CURL* easy, const Credentials& credentials);
  static bool set_headers(CurlRequest& request, const Attempt& attempt, const Now& now);
  void fail(AttemptId id, const char* why);
  void release(Requests::iterator request);
  std::string explain(const CurlRequest& request, CURLcode code) const;
  static std::size_t on_answer(char* data, std::size_t one, std::size_t bytes, void* request);

  CurlMulti& multi_;
  const HttpSettings settings_;
  const std::unique_ptr<CredentialStore> credentials_;
  std::shared_ptr<const SharedSettings> shared_;
  Requests active_;
  Requests idle_;
  std::vector<Completion> completions_;
};

CurlTransport::CurlTransport(CurlMulti& multi, HttpSettings settings,
                             std::unique_ptr<CredentialStore> credentials)
    : multi_(multi), settings_(std::move(settings)), credentials_(std::move(credentials)) {}

CurlTransport::~CurlTransport() {
  while (!active_.empty()) release(active_.begin());
}

void CurlTransport::refresh_credentials(const Now& now) {
  std::shared_ptr<const Credentials> credentials = credentials_->current(now);
  if (shared_ != nullptr && credentials == shared_->credentials) return;
  const auto shared = std::make_shared<SharedSettings>();
  for (const auto* lines : {&settings_.headers, &credentials->headers}) {
    for (const std::string& line : *lines) {
      shared->headers = curl_slist_append(shared->headers, line.c_str());
    }
  }
  // Without this libcurl asks before it sends a body, which costs a round trip.
  shared->headers = curl_slist_append(shared->headers, "Expect:");
  shared->credentials = std::move(credentials);
  shared_ = shared;
  idle_.clear();
}

std::unique_ptr<CurlRequest> CurlTransport::make_request() {
  auto request = std::make_unique<CurlRequest>();
  request->owner = this;
  request->easy = curl_easy_init();
  request->shared = shared_;
  CURL* const easy = request->easy;
  curl_easy_setopt(easy, CURLOPT_URL, settings_.url.c_str());
  curl_easy_setopt(easy, CURLOPT_POST, 1L);
  curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, settings_.method.c_str());
  curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, static_cast<long>(CURL_HTTP_VERSION_1_1));
  curl_easy_setopt(easy, CURLOPT_PRIVATE, request.get());
  curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, request->error);
  curl_easy_setopt(easy, CURLOPT_WRITEDATA, request.get());
  curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, &CurlTransport::on_answer);
  set_limits(easy);
  set_security(easy);
  set_credentials(easy, *shared_->credentials);
  return request;
}

void CurlTransport::set_limits(CURL* easy) const {
  curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, whole_ms(settings_.timeout));
  curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, whole_ms(settings_.connect_timeout));
  curl_easy_setopt(easy, CURLOPT_UPLOAD_BUFFERSIZE, upload_buffer_bytes);
  curl_easy_setopt(easy, CURLOPT_TCP_KEEPALIVE, 1L);
  curl_easy_setopt(easy, CURLOPT_MAXLIFETIME_CONN, connection_seconds_max);
  curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
  // Else the end of a request waits for a name server that does not answer.
  curl_easy_setopt(easy, CURLOPT_QUICK_EXIT, 1L);
}

void CurlTransport::set_security(CURL* easy) {
  curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
  curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 0L);
  curl_easy_setopt(easy, CURLOPT_PROXY, "");
  curl_easy_setopt(easy, CURLOPT_NETRC, static_cast<long>(CURL_NETRC_IGNORED));
  curl_easy_setopt(easy, CURLOPT_SSLVERSION, static_cast<long>(CURL_SSLVERSION_TLSv1_2));
  curl_easy_setopt(easy, CURLOPT_SSL_VERIFYPEER, 1L);
  curl_easy_setopt(easy, CURLOPT_SSL_VERIFYHOST, 2L);
}

void CurlTransport::set_credentials(CURL* easy, const Credentials& credentials) {
  if (!credentials.ca_pem.empty()) {
    set_blob(easy, CURLOPT_CAINFO_BLOB, credentials.ca_pem);
    curl_easy_setopt(easy, CURLOPT_CAPATH, nullptr);
  }
  if (!credentials.cert_pem.empty()) {
    set_blob(easy, CURLOPT_SSLCERT_BLOB, credentials.cert_pem);
    set_blob(easy, CURLOPT_SSLKEY_BLOB, credentials.key_pem);
  }
  if (!credentials.user_and_password.empty()) {
    curl_easy_setopt(easy, CURLOPT_HTTPAUTH, static_cast<long>(CURLAUTH_BASIC));
    curl_easy_setopt(easy, CURLOPT_USERPWD, credentials.user_and_password.c_str());
  }
}

bool CurlTransport::set_headers(CurlRequest& request, const Attempt& attempt, const Now& now) {
  std::vector<std::string>& lines = request.own_headers;
  lines = {"Idempotency-Key: " + std::string(attempt.batch_id)};
  const std::vector<SigningKey>& keys = request.shared->credentials->signing_keys;
  if (!keys.empty()) {
    const std::string id = webhook_id(attempt.batch_id);
    const auto timestamp = std::chrono::floor<std::chrono::seconds>(now.wall.time_since_epoch());
    const std::string signature = sign(keys, id, timestamp.count(), attempt.body);
    if (signature.empty()) return false;
    lines.push_back("webhook-id: " + id);
    lines.push_back("webhook-timestamp: " + std::to_string(timestamp.count()));
    lines.push_back("webhook-signature: " + signature);
  }
  request.header_links.resize(lines.size());
  curl_slist* next = request.shared->headers;
  for (std::size_t i = lines.size(); i-- > 0;) {
    request.header_links[i] = {lines[i].data(), next};
    next = &request.header_links[i];
  }
  curl_easy_setopt(request.easy, CURLOPT_HTTPHEADER, next);
  return true;
}

std::unique_ptr<CurlRequest> CurlTransport::take_request() {
  if (idle_.empty()) return make_request();
  std::unique_ptr<CurlRequest> request = std::move(idle_.back());
  idle_.pop_back();
  return request;
}

void CurlTransport::start(const Attempt& attempt, const Now& now) {
  refresh_credentials(now);
  std::unique_ptr<CurlRequest> request = take_request();
  request->id = attempt.id;
  if (!set_headers(*request, attempt, now)) return fail(attempt.id, "cannot sign the request");
  request->answer_head.clear();
  request->answer_bytes = 0;
  request->error[0] = '\0';
  curl_easy_setopt(request->easy, CURLOPT_POSTFIELDS,
                   attempt.body.empty() ? "" : attempt.body.data());
  curl_easy_setopt(request->easy, CURLOPT_POSTFIELDSIZE_LARGE,
                   static_cast<curl_off_t>(attempt.body.size()));
  CURL* const easy = request->easy;
  active_.push_back(std::move(request));
  if (!multi_.add(easy)) {
    fail(attempt.id, "libcurl does not take the request");
    release(active_.end() - 1);
  }
}

void CurlTransport::fail(AttemptId id, const char* why) {
  Completion completion;
  completion.id = id;
  completion.detail = why;
  completions_.push_back(std::move(completion));
}

void CurlTransport::cancel(AttemptId id) {
  const auto found = std::find_if(active_.begin(), active_.end(),
                                  [id](const auto& request) { return request->id == id; });
  if (found != active_.end()) release(found);
  std::erase_if(completions_, [id](const Completion& c) { return c.id == id; });
}

void CurlTransport::collect(const Now& /*now*/, std::vector<Completion>& completions) {
  std::move(completions_.begin(), completions_.end(), std::back_inserter(completions));
  completions_.clear();
}

void CurlTransport::release(Requests::iterator request) {
  multi_.remove((*request)->easy);
  curl_easy_setopt((*request)->easy, CURLOPT_POSTFIELDS, nullptr);
  if ((*request)->shared == shared_) idle_.push_back(std::move(*request));
  active_.erase(request);
}

std::size_t CurlTransport::on_answer(char* data, std::size_t /*one*/, std::size_t bytes,
                                     void* self) {
  auto& request = *static_cast<CurlRequest*>(self);
  request.answer_bytes += bytes;
  const std::size_t room = answer_head_bytes_max - request.answer_head.size();
  request.answer_head.append(data, std::min(bytes, room));
  return request.answer_bytes <= answer_bytes_max ? bytes : 0;
}

void CurlTransport::finish(CurlRequest& request, CURLcode code, const Now& now) {
  Completion completion;
  completion.id = request.id;
  long status = 0;
  curl_easy_getinfo(request.easy, CURLINFO_RESPONSE_CODE, &status);
  if (status >= 200) {
    completion.result = AttemptResult::answered;
    completion.status = static_cast<int>(status);
    completion.detail = request.answer_head;
    curl_header* header = nullptr;
    if (curl_easy_header(request.easy, "Retry-After", 0, CURLH_HEADER, -1, &header) == CURLHE_OK) {
      completion.retry_after = parse_retry_after(header->value, now.wall);
    }
  } else {
    completion.detail = explain(request, code);
  }
  completions_.push_back(std::move(completion));
  release(std::find_if(active_.begin(), active_.end(),
                       [&](const auto& other) { return other.get() == &request; }));
}

std::string CurlTransport::explain(const CurlRequest& request, CURLcode code) const {
  const std::string& peer = settings_.peer;
  const std::string reason = request.error[0] != '\0' ? request.error : curl_easy_strerror(code);
  curl_off_t connected_us = 0;
  long os_error = 0;
  switch (code) {
    case CURLE_COULDNT_CONNECT:
      curl_easy_getinfo(request.easy, CURLINFO_OS_ERRNO, &os_error);
      return "cannot connect to " + peer + ": " +
             (os_error != 0 ? std::generic_category().message(static_cast<int>(os_error)) : reason);
    case CURLE_COULDNT_RESOLVE_HOST:
      return "cannot find the address of " + peer + ": " + reason;
    case CURLE_OPERATION_TIMEDOUT:
      curl_easy_getinfo(request.easy, CURLINFO_PRETRANSFER_TIME_T, &connected_us);
      return connected_us == 0
                 ? "cannot connect to " + peer + " in time: " + reason
                 : "no answer from " + peer + " within " + format_duration(settings_.timeout);
    case CURLE_PEER_FAILED_VERIFICATION:
      return "certificate of " + peer + " not trusted: " + reason;
    case CURLE_SSL_CONNECT_ERROR:
      return "TLS handshake with " + peer + " failed: " + reason;
    case CURLE_SEND_ERROR:
    case CURLE_RECV_ERROR:
    case CURLE_GOT_NOTHING:
      return "connection to " + peer + " broke before an answer: " + reason;
    default:
      return "request to " + peer + " failed: " + reason;
  }
}

}  // namespace

CurlMulti::CurlMulti(Reactor& reactor) : reactor_(reactor) {
  curl_global_init(CURL_GLOBAL_DEFAULT);
  multi_ = curl_multi_init();
  curl_multi_setopt(multi_, CURLMOPT_SOCKETFUNCTION, &CurlMulti::on_socket_change);
  curl_multi_setopt(multi_, CURLMOPT_SOCKETDATA, this);
  curl_multi_setopt(multi_, CURLMOPT_TIMERFUNCTION, &CurlMulti::on_timer_change);
  curl_multi_setopt(multi_, CURLMOPT_TIMERDATA, this);
  curl_multi_setopt(multi_, CURLMOPT_MAXCONNECTS, idle_connections_max);
}

CurlMulti::~CurlMulti() {
  curl_multi_cleanup(multi_);
  curl_global_cleanup();
}

int CurlMulti::on_socket_change(CURL* /*easy*/, curl_socket_t fd, int what, void* self,
                                void* /*socket*/) {
  auto& multi = *static_cast<CurlMulti*>(self);
  if (what == CURL_POLL_REMOVE) {
    multi.reactor_.remove(fd);
    return 0;
  }
  const std::uint32_t in = (what & CURL_POLL_IN) != 0 ? EPOLLIN : 0U;
  const std::uint32_t out = (what & CURL_POLL_OUT) != 0 ? EPOLLOUT : 0U;
  multi.reactor_.set(fd, in | out,
                     [&multi, fd](std::uint32_t ready) { multi.on_ready(fd, ready); });
  return 0;
}

int CurlMulti::on_timer_change(CURLM* /*multi*/, long timeout_ms, void* self) {
  auto& multi = *static_cast<CurlMulti*>(self);
  multi.deadline_ = never;
  multi.new_timeout_.reset();
  if (timeout_ms >= 0) multi.new_timeout_ = std::chrono::milliseconds(timeout_ms);
  return 0;
}

void CurlMulti::on_ready(int fd, std::uint32_t events) {
  int mask = 0;
  if ((events & EPOLLIN) != 0) mask |= CURL_CSELECT_IN;
  if ((events & EPOLLOUT) != 0) mask |= CURL_CSELECT_OUT;
  if ((events & (EPOLLERR | EPOLLHUP)) != 0) mask |= CURL_CSELECT_ERR;
  int running = 0;
  curl_multi_socket_action(multi_, fd, mask, &running);
}

void CurlMulti::do_work(const Now& now) {
  last_turn_ = now.mono;
  if (new_timeout_) deadline_ = now.mono + *std::exchange(new_timeout_, std::nullopt);
  if (deadline_ <= now.mono) {
    deadline_ = never;
    int running = 0;
    curl_multi_socket_action(multi_, CURL_SOCKET_TIMEOUT, 0, &running);
  }
  finish_done(now);
}

MonoTime CurlMulti::next_deadline() const {
  return new_timeout_ ? last_turn_ + *new_timeout_ : deadline_;
}

void CurlMulti::finish_done(const Now& now) {
  int left = 0;
  while (const CURLMsg* message = curl_multi_info_read(multi_, &left)) {
    if (message->msg != CURLMSG_DONE) continue;
    const CURLcode code = message->data.result;
    CurlRequest* request = nullptr;
    curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &request);
    request->owner->finish(*request, code, now);
  }
}

CurlDriver::CurlDriver(Reactor& reactor) : multi_(std::make_unique<CurlMulti>(reactor)) {}

CurlDriver::~CurlDriver() = default;

Result<std::unique_ptr<Transport>> CurlDriver::make_transport(const DestinationConfig& config,
                                                              std::string_view content_type,
                                                              Log& log) {
  Result<HttpSettings> settings = make_http_settings(config, content_type);
  if (!settings.ok()) return settings.error();
  Result<std::unique_ptr<CredentialStore>> credentials = CredentialStore::open(config, log);
  if (!credentials.ok()) return credentials.error();
  return std::unique_ptr<Transport>(std::make_unique<CurlTransport>(
      *multi_, std::move(settings.value()), std::move(credentials.value())));
}

void CurlDriver::do_work(const Now& now) {
  multi_->do_work(now);
}

MonoTime CurlDriver::next_deadline() const {
  return multi_->next_deadline();
}

}  // namespace outrider::sidecar
