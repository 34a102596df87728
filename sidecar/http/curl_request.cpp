#include "sidecar/http/curl_request.hpp"

#include <algorithm>
#include <system_error>
#include <utility>

#include "sidecar/base/percent.hpp"
#include "sidecar/base/text.hpp"
#include "sidecar/base/units.hpp"
#include "sidecar/http/retry_after.hpp"
#include "sidecar/http/tls_offer.hpp"

namespace outrider::sidecar {
namespace {

constexpr std::size_t answer_head_bytes_max = 1024;
/// After the final head: how long nothing may come, and how long anything may.
constexpr Duration quiet_max = std::chrono::milliseconds(200);
constexpr Duration drain_max = std::chrono::seconds(1);
/// How often it is looked whether a receiver that answered early has read on.
constexpr Duration reading_interval = std::chrono::milliseconds(10);
constexpr long upload_buffer_bytes = 64L * 1024;
constexpr long name_seconds_max = 60;
constexpr long trust_seconds_max = 3600;

std::string scheme_of(const HttpUrl& url) {
  return url.is_tls ? "https://" : "http://";
}

std::string_view handshake_hint(std::string_view reason) {
  if (reason.find("wrong version number") != std::string_view::npos) {
    return "; does it use http instead of https?";
  }
  if (reason.find("handshake failure") != std::string_view::npos) {
    return "; does it know only DHE, which is not offered, or does it want a client certificate?";
  }
  return "";
}

/// The blob stays in the memory of `pem`, which outlives the handle. libcurl compares blobs when it
/// looks for a connection, so one that was made with other certificates is not used.
void set_blob(CURL* easy, CURLoption option, const std::string& pem) {
  curl_blob blob{const_cast<char*>(pem.data()), pem.size(), CURL_BLOB_NOCOPY};
  curl_easy_setopt(easy, option, &blob);
}

}  // namespace

CurlRequest::CurlRequest(Owner& owner, CurlMulti& multi, const HttpSettings& settings,
                         AddressHealth& addresses, std::shared_ptr<const Credentials> credentials,
                         UrlSet::Ticket ticket)
    : owner_(owner),
      multi_(multi),
      settings_(settings),
      addresses_(addresses),
      credentials_(std::move(credentials)),
      ticket_(ticket),
      easy_(curl_easy_init()),
      url_(configured_url()) {}

CurlRequest::~CurlRequest() {
  multi_.remove(easy_);
  curl_easy_cleanup(easy_);
}

/// libcurl takes "Name:" for a header that is not to be sent, and "Name;" for an empty one.
void CurlRequest::append(List& list, const std::string& line) {
  const std::size_t colon = line.find(':');
  const bool is_empty = trim(std::string_view(line).substr(colon + 1)).empty();
  const std::string text = is_empty ? line.substr(0, colon) + ";" : line;
  list.reset(curl_slist_append(list.release(), text.c_str()));
}

// Sending -----------------------------------------------------------------------------------------

std::optional<Completion> CurlRequest::start(const Attempt& attempt, const Now& now) {
  id_ = attempt.id;
  started_at_ = now.mono;
  body_ = attempt.body;
  wants_answer_ = attempt.wants_answer;
  Completion completion;
  completion.id = id_;
  if (const Status filled = fill_templates(attempt); !filled.ok()) {
    completion.result = AttemptResult::unsendable;
    completion.detail = filled.error().message;
    return completion;
  }
  if (is_head()) body_ = {};
  if (!add_body_headers(attempt, now)) {
    completion.detail = "cannot sign the request";
    return completion;
  }
  if (send()) return std::nullopt;
  completion.detail = "libcurl rejects the request";
  return completion;
}

Status CurlRequest::fill_templates(const Attempt& attempt) {
  if (settings_.needs_event && !attempt.event) {
    return Error{"the request uses {fields} of an event, but its body is not a single event"};
  }
  const RecordView event = attempt.event.value_or(RecordView{});
  url_.target.clear();
  Status status = settings_.urls[ticket_.url].target.render(event, url_.target);
  if (status.ok()) status = settings_.method.render(event, method_);
  body_headers_ = settings_.body_headers;
  for (std::size_t i = 0; status.ok() && i < settings_.headers.size(); ++i) {
    const HttpSettings::Header& header = settings_.headers[i];
    auto& lines = header.is_of_body ? body_headers_ : home_headers_;
    status = header.line.render(event, lines.emplace_back());
  }
  if (!status.ok()) return status;
  const std::vector<std::string>& secret = credentials_->headers;
  home_headers_.insert(home_headers_.end(), secret.begin(), secret.end());
  return Nothing{};
}

bool CurlRequest::add_body_headers(const Attempt& attempt, const Now& now) {
  body_headers_.push_back("Idempotency-Key: " + std::string(attempt.batch_id));
  if (!credentials_->signing_keys.empty()) {
    const std::string id = webhook_id(attempt.batch_id);
    const auto timestamp = std::chrono::floor<std::chrono::seconds>(now.wall.time_since_epoch());
    const std::string signature = sign(credentials_->signing_keys, id, timestamp.count(), body_);
    if (signature.empty()) return false;
    body_headers_.push_back("webhook-id: " + id);
    body_headers_.push_back("webhook-timestamp: " + std::to_string(timestamp.count()));
    body_headers_.push_back("webhook-signature: " + signature);
  }
  if (attempt.headers != nullptr) {
    body_headers_.insert(body_headers_.end(), attempt.headers->begin(), attempt.headers->end());
  }
  return true;
}

bool CurlRequest::send() {
  curl_easy_reset(easy_);
  error_[0] = '\0';
  curl_easy_setopt(easy_, CURLOPT_PRIVATE, static_cast<CurlListener*>(this));
  curl_easy_setopt(easy_, CURLOPT_ERRORBUFFER, error_);
  start_answer();
  curl_easy_setopt(easy_, CURLOPT_POST, 1L);
  // Behind CURLOPT_POST, which unsets it. The answer has no body then, whatever its length says.
  if (is_head()) curl_easy_setopt(easy_, CURLOPT_NOBODY, 1L);
  curl_easy_setopt(easy_, CURLOPT_CUSTOMREQUEST, method_.c_str());
  curl_easy_setopt(easy_, CURLOPT_POSTFIELDS, body_.empty() ? "" : body_.data());
  curl_easy_setopt(easy_, CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(body_.size()));
  set_url();
  set_headers();
  set_limits();
  set_sockets();
  set_proxy();
  set_tls();
  return multi_.add(easy_, &settings_);
}

/// The url as libcurl gets it: with the name that the receiver's certificate must have.
HttpUrl CurlRequest::named_url() const {
  HttpUrl url = configured_url();
  if (url.is_tls && !settings_.tls_server_name.empty()) url.host = settings_.tls_server_name;
  return url;
}

bool CurlRequest::is_at_home() const {
  return url_.unix_path == configured_url().unix_path && url_.has_same_origin(configured_url());
}

void CurlRequest::set_url() {
  const HttpUrl named = is_at_home() ? named_url() : url_;
  curl_easy_setopt(easy_, CURLOPT_URL,
                   (scheme_of(named) + named.authority() + url_.target).c_str());
  curl_easy_setopt(easy_, CURLOPT_PROTOCOLS_STR, "http,https");
  if (!url_.unix_path.empty()) {
    curl_easy_setopt(easy_, CURLOPT_UNIX_SOCKET_PATH, url_.unix_path.c_str());
  } else if (named.host != url_.host) {
    connect_to_list_.reset();
    append(connect_to_list_, named.host + ":" + std::to_string(named.port) + ":" + url_.host + ":" +
                                 std::to_string(url_.port));
    curl_easy_setopt(easy_, CURLOPT_CONNECT_TO, connect_to_list_.get());
  }
  set_http_version();
}

void CurlRequest::set_http_version() {
  if (settings_.http_version == HttpVersion::http1 || falls_back()) {
    curl_easy_setopt(easy_, CURLOPT_HTTP_VERSION, static_cast<long>(CURL_HTTP_VERSION_1_1));
    return;
  }
  const long version = url_.is_tls ? CURL_HTTP_VERSION_2TLS : CURL_HTTP_VERSION_2_PRIOR_KNOWLEDGE;
  curl_easy_setopt(easy_, CURLOPT_HTTP_VERSION, version);
  // Without TLS nothing keeps the connections of destinations apart (tls_offer.hpp), and libcurl
  // before 8.0 begins HTTP/2 again on one that already uses it (github.com/curl/curl/pull/10643).
  if (!url_.is_tls) {
    curl_easy_setopt(easy_, CURLOPT_FRESH_CONNECT, 1L);
    curl_easy_setopt(easy_, CURLOPT_FORBID_REUSE, 1L);
  } else {
    curl_easy_setopt(easy_, CURLOPT_PIPEWAIT, waits_for_others_ ? 1L : 0L);
  }
}

void CurlRequest::set_headers() {
  header_list_.reset();
  for (const std::string& line : body_headers_) append(header_list_, line);
  if (is_at_home()) {
    for (const std::string& line : home_headers_) append(header_list_, line);
    if (!settings_.sets_host && named_url().host != url_.host) {
      append(header_list_, "Host: " + url_.authority());
    }
    if (!credentials_->user_and_password.empty()) {
      curl_easy_setopt(easy_, CURLOPT_HTTPAUTH, static_cast<long>(CURLAUTH_BASIC));
      curl_easy_setopt(easy_, CURLOPT_USERPWD, credentials_->user_and_password.c_str());
    }
  }
  // Without this libcurl asks before it sends a body, which costs a round trip.
  header_list_.reset(curl_slist_append(header_list_.release(), "Expect:"));
  curl_easy_setopt(easy_, CURLOPT_HTTPHEADER, header_list_.get());
  curl_easy_setopt(easy_, CURLOPT_NETRC, static_cast<long>(CURL_NETRC_IGNORED));
}

void CurlRequest::set_limits() {
  using std::chrono::floor;
  const auto age_s =
      static_cast<long>(floor<std::chrono::seconds>(settings_.connection_age_max).count());
  curl_easy_setopt(easy_, CURLOPT_CONNECTTIMEOUT_MS, whole_ms(settings_.connect_timeout));
  curl_easy_setopt(easy_, CURLOPT_MAXLIFETIME_CONN, age_s);
  curl_easy_setopt(easy_, CURLOPT_DNS_CACHE_TIMEOUT, std::min(age_s, name_seconds_max));
  curl_easy_setopt(easy_, CURLOPT_UPLOAD_BUFFERSIZE, upload_buffer_bytes);
  curl_easy_setopt(easy_, CURLOPT_TCP_KEEPALIVE, 1L);
  curl_easy_setopt(easy_, CURLOPT_NOSIGNAL, 1L);
  // Else the end of a request waits for a name server that does not answer.
  curl_easy_setopt(easy_, CURLOPT_QUICK_EXIT, 1L);
}

/// libcurl itself reads the environment where CURLOPT_PROXY is not set.
void CurlRequest::set_proxy() {
  const bool has_none = settings_.proxy == "none" || !url_.unix_path.empty();
  if (has_none) {
    curl_easy_setopt(easy_, CURLOPT_PROXY, "");
    return;
  }
  if (settings_.proxy != "environment") {
    curl_easy_setopt(easy_, CURLOPT_PROXY, settings_.proxy.c_str());
    curl_easy_setopt(easy_, CURLOPT_NOPROXY, "");
  }
  curl_easy_setopt(easy_, CURLOPT_PROXY_SSLVERSION, static_cast<long>(CURL_SSLVERSION_TLSv1_2));
  curl_easy_setopt(easy_, CURLOPT_PROXY_SSL_CIPHER_LIST, settings_.tls_ciphers.c_str());
  if (!credentials_->proxy_user_and_password.empty()) {
    curl_easy_setopt(easy_, CURLOPT_PROXYUSERPWD, credentials_->proxy_user_and_password.c_str());
  }
}

void CurlRequest::set_tls() {
  const bool is_1_3 = settings_.tls_version_min == TlsVersion::tls13;
  curl_easy_setopt(easy_, CURLOPT_SSLVERSION,
                   static_cast<long>(is_1_3 ? CURL_SSLVERSION_TLSv1_3 : CURL_SSLVERSION_TLSv1_2));
  curl_easy_setopt(easy_, CURLOPT_SSL_CIPHER_LIST, settings_.tls_ciphers.c_str());
  curl_easy_setopt(easy_, CURLOPT_SSL_CTX_DATA, this);
  curl_easy_setopt(easy_, CURLOPT_SSL_CTX_FUNCTION, &CurlRequest::on_tls_context);
  curl_easy_setopt(easy_, CURLOPT_SSL_VERIFYPEER, 1L);
  curl_easy_setopt(easy_, CURLOPT_SSL_VERIFYHOST, 2L);
  if (credentials_->trust != nullptr) {
    set_trust(*credentials_->trust);
  } else {
    set_system_trust();
  }
  if (!credentials_->cert_pem.empty() && is_at_home()) {
    set_blob(easy_, CURLOPT_SSLCERT_BLOB, credentials_->cert_pem);
    set_blob(easy_, CURLOPT_SSLKEY_BLOB, credentials_->key_pem);
  }
}

/// libcurl's own way parses the certificates for each connection. When it looks for a connection it
/// compares CAPATH, not the effect of the callback; so CAPATH names the store, and no existing
/// path.
void CurlRequest::set_trust(const TrustStore& trust) {
  if (may_have_tls_proxy()) {
    set_blob(easy_, CURLOPT_CAINFO_BLOB, trust.pem());
    curl_easy_setopt(easy_, CURLOPT_CAPATH, nullptr);
    return;
  }
  curl_easy_setopt(easy_, CURLOPT_CAINFO, nullptr);
  curl_easy_setopt(easy_, CURLOPT_CAPATH, ("/dev/null/" + trust.id()).c_str());
}

/// libcurl keeps the parsed certificates of a file, not those of a directory. Where it was built
/// with both, they hold the same.
void CurlRequest::set_system_trust() {
  const char* file = nullptr;
  curl_easy_getinfo(easy_, CURLINFO_CAINFO, &file);
  if (file != nullptr) curl_easy_setopt(easy_, CURLOPT_CAPATH, nullptr);
  curl_easy_setopt(easy_, CURLOPT_CA_CACHE_TIMEOUT, trust_seconds_max);
}

/// Its certificate is not verified against ca_file, and the callback cannot tell it apart.
bool CurlRequest::may_have_tls_proxy() const {
  return settings_.proxy == "environment" || settings_.proxy.starts_with("https:");
}

/// For the receiver's context and a proxy's; libcurl has no option for the groups of a proxy.
CURLcode CurlRequest::on_tls_context(CURL* /*easy*/, void* context, void* self) {
  const auto& request = *static_cast<CurlRequest*>(self);
  auto* const tls = static_cast<ssl_ctx_st*>(context);
  if (!offer_elliptic_groups(tls)) return CURLE_SSL_CIPHER;
  const auto& trust = request.credentials_->trust;
  if (trust != nullptr && !request.may_have_tls_proxy()) trust->use_in(tls);
  return CURLE_OK;
}

// Answers -----------------------------------------------------------------------------------------

void CurlRequest::start_answer() {
  answer_ =
      Answer(wants_answer_ ? answer_bytes_max
                           : std::min(answer_bytes_max,
                                      answer_head_bytes_max + credentials_->mask.context_bytes()));
  quiet_at_ = never;
  drained_at_ = never;
  curl_easy_setopt(easy_, CURLOPT_HEADERDATA, this);
  curl_easy_setopt(easy_, CURLOPT_HEADERFUNCTION, &CurlRequest::on_head);
  curl_easy_setopt(easy_, CURLOPT_WRITEDATA, this);
  curl_easy_setopt(easy_, CURLOPT_WRITEFUNCTION, &CurlRequest::on_answer);
}

std::size_t CurlRequest::on_head(char* data, std::size_t /*one*/, std::size_t bytes, void* self) {
  auto& request = *static_cast<CurlRequest*>(self);
  request.learn_of_proxy();
  if (!request.is_own_answer()) return 0;
  if (!request.answer_.add_head({data, bytes})) return 0;
  if (request.answer_.whole_status() != 0) request.multi_.connections().answers(request.look_);
  if (request.answer_.whole_status() == misdirected_status) {
    curl_easy_setopt(request.easy_, CURLOPT_FORBID_REUSE, 1L);
    request.multi_.connections().leave(request.look_);
  }
  return bytes;
}

std::size_t CurlRequest::on_answer(char* data, std::size_t /*one*/, std::size_t bytes, void* self) {
  auto& request = *static_cast<CurlRequest*>(self);
  request.multi_.connections().answers(request.look_);
  return request.answer_.add_body({data, bytes}) ? bytes : 0;
}

/// 0 while there is none: an interim answer is none, nor is a proxy's to CONNECT.
long CurlRequest::final_status() const {
  if (look_.verdict != Connections::Verdict::quiet) return 0;
  long status = 0;
  curl_easy_getinfo(easy_, CURLINFO_RESPONSE_CODE, &status);
  return status < 200 ? 0 : status;
}

/// The proxy's status if it did not connect; 0 if it gave none or has connected.
long CurlRequest::refused_connect_status() const {
  long status = 0;
  curl_easy_getinfo(easy_, CURLINFO_HTTP_CONNECTCODE, &status);
  return status < 300 ? 0 : status;
}

bool CurlRequest::has_outcome() const {
  const int status = answer_.whole_status();
  if (status < 200) return false;
  if (status != final_status()) return status >= 300 && status == refused_connect_status();
  return status >= 300 || (!wants_answer_ && is_sent());
}

MonoTime CurlRequest::due_at(const Now& now) {
  if (timeout_at_ == never && multi_.has_begun(easy_)) timeout_at_ = now.mono + settings_.timeout;
  if (done_code_) return next_reading_at_;
  if (!has_outcome() || wants_answer_) return timeout_at_;
  if (drained_at_ == never) drained_at_ = now.mono + drain_max;
  if (quiet_at_ == never || answer_.bytes() != heard_bytes_) quiet_at_ = now.mono + quiet_max;
  heard_bytes_ = answer_.bytes();
  return std::min({quiet_at_, drained_at_, timeout_at_});
}

void CurlRequest::settle(const Now& now) {
  done(now.mono < timeout_at_ ? CURLE_ABORTED_BY_CALLBACK : CURLE_OPERATION_TIMEDOUT, now);
}

void CurlRequest::done(CURLcode code, const Now& now) {
  if (!done_code_) {
    if (sends_again(code) || follow_redirect(code)) return;
    done_code_ = code;
  }
  const Reading how_far = reading(now);
  if (how_far == Reading::under_way) {
    next_reading_at_ = now.mono + reading_interval;
    return;
  }
  learn_of_peer(*done_code_, now);
  owner_.finished(*this, completion(*done_code_, how_far, now), now);
}

/// 303 asks for a GET, which delivers nothing; so it is an answer like others. One that does not
/// come whole leads on as well as long as its head is there.
bool CurlRequest::follow_redirect(CURLcode code) {
  const long status = final_status();
  const bool is_redirect = status == 301 || status == 302 || status == 307 || status == 308;
  const bool has_head = code == CURLE_OK || answer_.whole_status() == status;
  if (!is_redirect || !has_head || redirects_ == settings_.redirects_max) return false;
  const std::string location = resolved_location();
  if (location.empty()) return false;
  if (const Status target = set_redirect(location); !target.ok()) {
    refused_redirect_ = "a redirect is not followed: " + target.error().message;
    return false;
  }
  ++redirects_;
  needs_new_connection_ = false;
  multi_.remove(easy_);
  return send();
}

/// Location as a whole url; empty if there is none. CURLINFO_REDIRECT_URL has it only at the end of
/// the answer.
std::string CurlRequest::resolved_location() const {
  const std::string location = header("Location", CURLH_HEADER);
  const char* base = nullptr;
  curl_easy_getinfo(easy_, CURLINFO_EFFECTIVE_URL, &base);
  if (location.empty() || base == nullptr) return {};
  const Handle<CURLU, curl_url_cleanup> url(curl_url());
  char* text = nullptr;
  const bool is_url = curl_url_set(url.get(), CURLUPART_URL, base, 0) == CURLUE_OK &&
                      curl_url_set(url.get(), CURLUPART_URL, location.c_str(),
                                   CURLU_URLENCODE | CURLU_NON_SUPPORT_SCHEME) == CURLUE_OK &&
                      curl_url_get(url.get(), CURLUPART_URL, &text, 0) == CURLUE_OK;
  const Handle<char, curl_free> owned(text);
  return is_url ? text : location;
}

Status CurlRequest::set_redirect(const std::string& location) {
  const Result<HttpUrl> parsed = parse_http_url(location);
  if (!parsed.ok()) return parsed.error();
  HttpUrl next = parsed.value();
  next.target = as_url_text(next.target);
  if (!next.unix_path.empty()) return Error{"it leads to a Unix socket"};
  if (url_.is_tls && !next.is_tls) return Error{"it leads from https to http"};
  if (next.has_same_origin(configured_url()) || next.has_same_origin(named_url())) {
    const std::string target = std::exchange(next.target, {});
    next = configured_url();
    next.target = target;
  }
  url_ = std::move(next);
  return Nothing{};
}

Completion CurlRequest::completion(CURLcode code, Reading reading, const Now& now) {
  Completion completion;
  completion.id = id_;
  if (reading == Reading::cut) {
    completion.detail = url_.peer() + " answers " + std::to_string(final_status()) +
                        " before it has read the whole request";
  } else if (refuses_http1()) {
    completion.detail = url_.peer() + " answers " + std::to_string(final_status()) +
                        " to HTTP/1.1; HTTP/2 is tried again";
  } else if (const long status = final_status(); status != 0) {
    completion.result = AttemptResult::answered;
    completion.status = static_cast<int>(status);
    completion.detail = refused_redirect_.empty()
                            ? credentials_->mask.hide(answer_.body(), answer_head_bytes_max)
                            : refused_redirect_;
    completion.is_cut = code != CURLE_OK;
    if (wants_answer_) completion.answer = answer_.take_body();
    add_retry_after(CURLH_HEADER, now, completion);
  } else if (const long refused = refused_connect_status(); refused != 0) {
    completion.result = AttemptResult::answered;
    completion.status = static_cast<int>(refused);
    completion.is_detail_ours = true;
    completion.detail = "the proxy answers " + std::to_string(refused) +
                        " to CONNECT and does not connect to " + url_.peer();
    completion.is_cut = true;
    add_retry_after(CURLH_CONNECT, now, completion);
  } else {
    completion.detail = explain(code);
  }
  return completion;
}

void CurlRequest::add_retry_after(unsigned origin, const Now& now, Completion& completion) const {
  completion.retry_after =
      parse_retry_after(header("Retry-After", origin), header("Date", origin), now.wall);
  completion.is_for_now = completion.retry_after.has_value();
}

/// The value in the answer that came last; empty if there is none.
std::string CurlRequest::header(const char* name, unsigned origin) const {
  curl_header* found = nullptr;
  const bool is_there = curl_easy_header(easy_, name, 0, origin, -1, &found) == CURLHE_OK;
  return is_there ? found->value : "";
}

/// A Unix socket refuses with EAGAIN those for whom its queue has no room, and libcurl takes that
/// for a connection that is being made.
std::string CurlRequest::explain_no_connection(const std::string& reason) const {
  long os_error = open_error_;
  if (os_error == 0) curl_easy_getinfo(easy_, CURLINFO_OS_ERRNO, &os_error);
  if (os_error != 0) return std::generic_category().message(static_cast<int>(os_error));
  return url_.unix_path.empty() ? reason : "its queue of connections is full";
}

std::string CurlRequest::explain(CURLcode code) const {
  const std::string peer = url_.peer();
  const std::string reason = error_[0] != '\0' ? error_ : curl_easy_strerror(code);
  curl_off_t connected_us = 0;
  if (look_.verdict == Connections::Verdict::spoke_first) {
    return peer + " sends data before the request; is it an HTTP receiver?";
  }
  if (answer_.has_too_long_head()) {
    return "the headers of the answer from " + peer + " are larger than " +
           format_size(heads_bytes_max);
  }
  switch (code) {
    case CURLE_COULDNT_CONNECT:
      if (!refused_address_.empty()) return refused_address_;
      return "cannot connect to " + peer + ": " + explain_no_connection(reason);
    case CURLE_COULDNT_RESOLVE_HOST:
      return "cannot find the address of " + peer + ": " + reason;
    case CURLE_COULDNT_RESOLVE_PROXY:
      return "cannot find the address of the proxy: " + reason;
    case CURLE_OPERATION_TIMEDOUT:
      curl_easy_getinfo(easy_, CURLINFO_PRETRANSFER_TIME_T, &connected_us);
      return connected_us == 0
                 ? "cannot connect to " + peer + " in time: " + reason
                 : "no answer from " + peer + " within " + format_duration(settings_.timeout);
    case CURLE_PEER_FAILED_VERIFICATION:
      return "certificate of " + peer + " not trusted: " + reason;
    case CURLE_SSL_CONNECT_ERROR:
      return "TLS handshake with " + peer + " failed: " + reason +
             std::string(handshake_hint(reason));
    case CURLE_OUT_OF_MEMORY:
      return "a line of the answer from " + peer + " is too long, or there is no memory for it";
    case CURLE_SEND_ERROR:
    case CURLE_RECV_ERROR:
    case CURLE_GOT_NOTHING:
      return "connection to " + peer + " broke before an answer: " + reason;
    default:
      return "request to " + peer + " failed: " + reason;
  }
}

}  // namespace outrider::sidecar
