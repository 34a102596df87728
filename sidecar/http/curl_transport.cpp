#include "sidecar/http/curl_transport.hpp"

#include <algorithm>
#include <utility>
#include <vector>

#include "sidecar/deliver/outcome.hpp"
#include "sidecar/http/address_health.hpp"
#include "sidecar/http/credentials.hpp"
#include "sidecar/http/curl_multi.hpp"
#include "sidecar/http/curl_request.hpp"
#include "sidecar/http/file_threads.hpp"
#include "sidecar/http/http2_fallback.hpp"
#include "sidecar/http/http_settings.hpp"
#include "sidecar/http/tls_offer.hpp"
#include "sidecar/http/trust.hpp"
#include "sidecar/http/url_log.hpp"
#include "sidecar/http/url_set.hpp"
#include "sidecar/observe/snapshot.hpp"

namespace outrider::sidecar {

namespace {

constexpr Duration pause_min = std::chrono::seconds(1);

/// One http destination.
class CurlTransport final : public Transport, public CurlRequest::Owner {
 public:
  CurlTransport(CurlMulti& multi, HttpSettings settings,
                std::unique_ptr<CredentialStore> credentials, BackoffLimits backoff,
                std::uint64_t seed, UrlLog url_log)
      : multi_(multi),
        settings_(std::move(settings)),
        credentials_(std::move(credentials)),
        urls_(settings_.urls.size(), backoff, seed),
        is_misdirected_(settings_.urls.size()),
        http2_fallback_(settings_.urls.size()),
        url_log_(std::move(url_log)) {}

  void start(const Attempt& attempt, const Now& now) override;
  void cancel(AttemptId id) override;
  void collect(const Now& now, std::vector<Completion>& completions) override;
  MonoTime next_deadline() const override { return next_due_at_; }
  std::vector<UrlSnapshot> urls() const override;
  void hurry(const Now& now) override;
  void close(MonoTime /*deadline*/) override {}

  void finished(CurlRequest& request, Completion completion, const Now& now) override;

 private:
  CurlMulti& multi_;
  const HttpSettings settings_;
  const std::unique_ptr<CredentialStore> credentials_;
  UrlSet urls_;
  std::vector<bool> is_misdirected_;  ///< by url: the next request takes a new connection
  Http2Fallback http2_fallback_;
  AddressHealth addresses_;
  UrlLog url_log_;
  std::vector<std::unique_ptr<CurlRequest>> requests_;
  std::vector<Completion> completions_;
  MonoTime next_due_at_ = never;
  MonoTime collected_at_{};
};

void CurlTransport::start(const Attempt& attempt, const Now& now) {
  auto request = std::make_unique<CurlRequest>(*this, multi_, settings_, addresses_,
                                               credentials_->current(now), urls_.take(now));
  if (is_misdirected_[request->ticket().url]) request->take_new_connection();
  is_misdirected_[request->ticket().url] = false;
  if (http2_fallback_.takes_http1(request->ticket().url, now)) request->take_http1();
  if (!requests_.empty()) request->wait_for_others();
  std::optional<Completion> failure = request->start(attempt, now);
  if (!failure) {
    requests_.push_back(std::move(request));
    return;
  }
  urls_.cancelled(request->ticket());
  completions_.push_back(std::move(*failure));
}

void CurlTransport::finished(CurlRequest& request, Completion completion, const Now& now) {
  const std::size_t url = request.ticket().url;
  const std::string peer = settings_.urls[url].parts.peer();
  if (completion.status == misdirected_status) is_misdirected_[url] = true;
  if (http2_fallback_.learn(url, request.shown(), now)) url_log_.falls_back(peer, completion);
  Outcome outcome = outcome_of(completion, settings_.status_actions);
  // Until other requests to this url succeed, as only the destination can tell.
  if (outcome == Outcome::split) outcome = unproved_split(completion.status);
  completion.way = static_cast<std::uint32_t>(url);
  const bool was_gone = urls_.is_gone(url);
  const bool is_well = urls_.settle(request.ticket(), outcome, completion, now);
  if (urls_.is_gone(url)) {
    if (!was_gone) url_log_.gone(peer, completion);
  } else if (!urls_.is_healthy(url)) {
    if (!is_well) url_log_.failed(url, peer, completion, now);
  } else if (is_well) {
    url_log_.healthy(url, peer);
  }
  completions_.push_back(std::move(completion));
  std::erase_if(requests_, [&](const auto& other) { return other.get() == &request; });
}

void CurlTransport::cancel(AttemptId id) {
  const auto found = std::find_if(requests_.begin(), requests_.end(),
                                  [id](const auto& request) { return request->id() == id; });
  if (found != requests_.end()) {
    urls_.cancelled((*found)->ticket());
    requests_.erase(found);
  }
  std::erase_if(completions_, [id](const Completion& c) { return c.id == id; });
}

std::vector<UrlSnapshot> CurlTransport::urls() const {
  std::vector<UrlSnapshot> urls;
  for (std::size_t i = 0; i < settings_.urls.size(); ++i) {
    urls.push_back({settings_.urls[i].parts.origin(), urls_.is_healthy(i), urls_.is_gone(i)});
  }
  return urls;
}

void CurlTransport::hurry(const Now& now) {
  // From the end, because settled ones leave the list.
  for (std::size_t i = requests_.size(); i-- > 0;) {
    if (requests_[i]->has_outcome()) requests_[i]->settle(now);
  }
}

/// A turn that is much too late means that the process was paused before: answers may still be on
/// their way. Every due request has its sockets read once more before it is settled, because its
/// answer may be in the kernel.
void CurlTransport::collect(const Now& now, std::vector<Completion>& completions) {
  const bool was_paused = next_due_at_ != never && now.mono > next_due_at_ + pause_min;
  if (was_paused) {
    for (const auto& request : requests_) request->make_up_for(now.mono - collected_at_);
  }
  const MonoTime sockets_read_since = std::exchange(collected_at_, now.mono);
  next_due_at_ = never;
  for (std::size_t i = requests_.size(); i-- > 0;) {
    const MonoTime at = requests_[i]->due_at(now);
    if (at <= sockets_read_since) {
      requests_[i]->settle(now);
    } else {
      next_due_at_ = std::min(next_due_at_, at);
    }
  }
  std::move(completions_.begin(), completions_.end(), std::back_inserter(completions));
  completions_.clear();
}

}  // namespace

CurlDriver::CurlDriver(Reactor& reactor, std::chrono::milliseconds file_wait_max)
    : multi_(std::make_unique<CurlMulti>(reactor)),
      guarded_multi_(std::make_unique<CurlMulti>(reactor)),
      trust_stores_(std::make_shared<TrustStores>()),
      files_(std::make_unique<FileThreads>(file_wait_max)),
      seeds_(system_seed()) {}

CurlDriver::~CurlDriver() = default;

Result<std::unique_ptr<Transport>> CurlDriver::make_transport(const DestinationConfig& config,
                                                              const BodyKind& body, Log& log) {
  auto finish_it = preparer(log)(config);
  if (!finish_it.ok()) return finish_it.error();
  return finish_it.value()(body);
}

/// The helper of the credentials runs in requests alone.
PrepareTransport CurlDriver::preparer(Log& log) {
  return [this, trust_stores = trust_stores_,
          &log](const DestinationConfig& config) -> Result<FinishTransport> {
    if (const auto settings = make_http_settings(config, {}); !settings.ok()) {
      return settings.error();
    }
    Result<std::unique_ptr<CredentialStore>> read = CredentialStore::open(
        config, trust_stores, [this](FileThreads::Job job) { return files_->run(std::move(job)); },
        log);
    if (!read.ok()) return read.error();
    auto credentials = std::make_shared<std::unique_ptr<CredentialStore>>(std::move(read.value()));
    return FinishTransport([this, config, credentials, &log](const BodyKind& body) {
      return finish(config, body, std::move(*credentials), log);
    });
  };
}

Result<std::unique_ptr<Transport>> CurlDriver::finish(const DestinationConfig& config,
                                                      const BodyKind& body,
                                                      std::unique_ptr<CredentialStore> credentials,
                                                      Log& log) {
  Result<HttpSettings> settings = make_http_settings(config, body);
  if (!settings.ok()) return settings.error();
  // One connection of HTTP/2 carries many requests, and its receiver's window and streams would be
  // for all. A connection of HTTP/1 has one request at a time, so any destination may use it next.
  if (config.http_version == HttpVersion::http2) {
    settings.value().tls_ciphers = tls_ciphers_of(++http2_transports_);
  }
  CurlMulti& multi = config.deny_private_addresses ? *guarded_multi_ : *multi_;
  multi.expect_connections(config.concurrency_max * config.urls.size());
  multi_->share_with(*guarded_multi_);
  return std::unique_ptr<Transport>(
      std::make_unique<CurlTransport>(multi, std::move(settings.value()), std::move(credentials),
                                      BackoffLimits{config.retry_initial, config.retry_max},
                                      seeds_.next(), UrlLog(config.name, config.urls.size(), log)));
}

void CurlDriver::do_work(const Now& now) {
  multi_->do_work(now);
  guarded_multi_->do_work(now);
}

MonoTime CurlDriver::next_deadline() const {
  return std::min(multi_->next_deadline(), guarded_multi_->next_deadline());
}

}  // namespace outrider::sidecar
