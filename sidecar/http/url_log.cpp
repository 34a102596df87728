#include "sidecar/http/url_log.hpp"

#include "sidecar/base/text.hpp"

namespace outrider::sidecar {
namespace {

constexpr std::size_t detail_bytes_max = 256;

}  // namespace

void UrlLog::failed(std::size_t url, const std::string& peer, const Completion& completion,
                    const Now& now) {
  if (told_.size() == 1 || told_[url] || !failed_limit_.take(now)) return;
  told_[url] = true;
  log_.warn("one of several urls fails; the sidecar probes it until it answers",
            {{"destination", destination_},
             {"peer", peer},
             {"status", std::to_string(completion.status)},
             {completion.detail_field(), printable(completion.detail, detail_bytes_max)}});
}

void UrlLog::healthy(std::size_t url, const std::string& peer) {
  if (!told_[url]) return;
  told_[url] = false;
  log_.info("url recovered", {{"destination", destination_}, {"peer", peer}});
}

void UrlLog::gone(const std::string& peer, const Completion& completion) {
  if (told_.size() == 1) return;
  log_.error("one of several urls is gone; nothing more is sent to it",
             {{"destination", destination_},
              {"peer", peer},
              {"status", std::to_string(completion.status)},
              {completion.detail_field(), printable(completion.detail, detail_bytes_max)}});
}

void UrlLog::falls_back(const std::string& peer, const Completion& completion) {
  log_.warn("an answer over HTTP/2 broke off before its status; HTTP/1.1 is used for a while",
            {{"destination", destination_},
             {"peer", peer},
             {completion.detail_field(), printable(completion.detail, detail_bytes_max)}});
}

}  // namespace outrider::sidecar
