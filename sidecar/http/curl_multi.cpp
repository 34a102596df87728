#include "sidecar/http/curl_multi.hpp"

#include <utility>

#include <sys/epoll.h>

#include "sidecar/base/read_budget.hpp"

namespace outrider::sidecar {
namespace {

/// Connections that are kept beyond those that the destinations may use at a time. libcurl counts
/// all together: with too few, one destination's hanging requests cost the others their keep-alive.
constexpr long spare_connections_max = 256;

/// What one call of libcurl reads; more comes in the next turn, after everybody else's.
constexpr std::int64_t turn_bytes_max = 64 << 10;

}  // namespace

Connections::Use use_of(CURL* easy) {
  long version = CURL_HTTP_VERSION_NONE;
  curl_easy_getinfo(easy, CURLINFO_HTTP_VERSION, &version);
  if (version == CURL_HTTP_VERSION_NONE) return Connections::Use::unknown;
  return version < CURL_HTTP_VERSION_2_0 ? Connections::Use::http1 : Connections::Use::http2;
}

CurlMulti::CurlMulti(Reactor& reactor)
    : reactor_(reactor),
      connections_(reactor, [this](int fd, std::uint32_t events) { on_ready(fd, events); }) {
  curl_global_init(CURL_GLOBAL_DEFAULT);
  multi_ = curl_multi_init();
  curl_multi_setopt(multi_, CURLMOPT_SOCKETFUNCTION, &CurlMulti::on_socket_change);
  curl_multi_setopt(multi_, CURLMOPT_SOCKETDATA, this);
  curl_multi_setopt(multi_, CURLMOPT_TIMERFUNCTION, &CurlMulti::on_timer_change);
  curl_multi_setopt(multi_, CURLMOPT_TIMERDATA, this);
  expect_connections(0);
}

void CurlMulti::expect_connections(std::uint64_t more) {
  connections_max_ += static_cast<long>(more);
  curl_multi_setopt(multi_, CURLMOPT_MAXCONNECTS, connections_max_ + spare_connections_max);
}

CurlMulti::~CurlMulti() {
  // To say goodbye, TLS reads what is there.
  const ReadBudget budget(turn_bytes_max);
  curl_multi_cleanup(multi_);
  curl_global_cleanup();
}

int CurlMulti::on_socket_change(CURL* easy, curl_socket_t fd, int what, void* self,
                                void* /*socket*/) {
  auto& multi = *static_cast<CurlMulti*>(self);
  if (what == CURL_POLL_REMOVE) {
    if (!multi.connections_.rest(fd, use_of(easy))) multi.reactor_.remove(fd);
    return 0;
  }
  const std::uint32_t in = (what & CURL_POLL_IN) != 0 ? EPOLLIN : 0U;
  const std::uint32_t out = (what & CURL_POLL_OUT) != 0 ? EPOLLOUT : 0U;
  if (multi.connections_.use(fd, in | out)) return 0;
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
  const ReadBudget budget(turn_bytes_max);
  curl_multi_socket_action(multi_, fd, mask, &running);
  if (budget.is_spent()) connections_.had_more(fd);
}

void CurlMulti::do_work(const Now& now) {
  last_turn_ = now.mono;
  if (new_timeout_) deadline_ = now.mono + *std::exchange(new_timeout_, std::nullopt);
  if (deadline_ <= now.mono) {
    deadline_ = never;
    int running = 0;
    const ReadBudget budget(turn_bytes_max);
    curl_multi_socket_action(multi_, CURL_SOCKET_TIMEOUT, 0, &running);
  }
  tell_done(now);
}

MonoTime CurlMulti::next_deadline() const {
  return new_timeout_ ? last_turn_ : deadline_;
}

void CurlMulti::tell_done(const Now& now) {
  int left = 0;
  while (const CURLMsg* message = curl_multi_info_read(multi_, &left)) {
    if (message->msg != CURLMSG_DONE) continue;
    const CURLcode code = message->data.result;
    CurlListener* listener = nullptr;
    curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &listener);
    listener->done(code, now);
  }
}

}  // namespace outrider::sidecar
