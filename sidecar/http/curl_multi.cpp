#include "sidecar/http/curl_multi.hpp"

#include <algorithm>
#include <climits>
#include <utility>

#include <sys/epoll.h>

#include "sidecar/net/read_budget.hpp"
#include "sidecar/net/socket_gate.hpp"

namespace outrider::sidecar {
namespace {

/// Connections that are kept beyond those that the destinations may use at a time. libcurl counts
/// all together: with too few, one destination's hanging requests cost the others their keep-alive.
constexpr long spare_connections_max = 256;

/// The descriptors that the rest of the sidecar has open at least: see app/probe.cpp.
constexpr std::size_t other_descriptors = 32;

/// The bytes that one call of libcurl reads; the rest is read in the next turn, after all others.
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
  if (more > 0) ++senders_;
  requests_max_ = own_requests_max();
  const auto total_max = static_cast<long>(std::min<std::size_t>(requests_max_, INT_MAX));
  curl_multi_setopt(multi_, CURLMOPT_MAXCONNECTS,
                    std::min(connections_max_ + spare_connections_max, total_max));
  // An idle connection makes room for a new one.
  curl_multi_setopt(multi_, CURLMOPT_MAX_TOTAL_CONNECTIONS, total_max);
}

std::size_t CurlMulti::requests_max() {
  constexpr std::size_t least = 2;
  const auto open_max = static_cast<std::size_t>(SocketGate::descriptors_max());
  const std::size_t half = open_max / 2;
  return std::max({least, half - std::min(half, other_descriptors), open_max / 8});
}

std::size_t CurlMulti::own_requests_max() const {
  return std::max<std::size_t>(1, requests_max() / (has_half_ ? 2 : 1));
}

void CurlMulti::share_with(CurlMulti& other) {
  if (senders_ == 0 || other.senders_ == 0) return;
  for (CurlMulti* one : {this, &other}) {
    one->has_half_ = true;
    one->expect_connections(0);
  }
}

bool CurlMulti::add(CURL* easy, const void* sender) {
  if (requests_max_ != own_requests_max()) expect_connections(0);
  if (may_begin(sender)) return begin(easy, sender);
  waiting_.push_back({easy, sender});
  return true;
}

/// A sender without any may always begin; one that has some leaves room for those that have none,
/// so that slow receivers do not hold up the others.
bool CurlMulti::may_begin(const void* sender) const {
  if (under_way_.size() >= requests_max_) return false;
  if (!shares_.contains(sender)) return true;
  const std::size_t idle = senders_ - std::min(senders_, shares_.size());
  return requests_max_ - under_way_.size() > idle;
}

bool CurlMulti::begin(CURL* easy, const void* sender) {
  if (curl_multi_add_handle(multi_, easy) != CURLM_OK) return false;
  under_way_.emplace(easy, sender);
  ++shares_[sender];
  return true;
}

void CurlMulti::remove(CURL* easy) {
  const auto found = under_way_.find(easy);
  if (found == under_way_.end()) {
    std::erase_if(waiting_, [easy](const Waiting& one) { return one.easy == easy; });
    return;
  }
  if (--shares_[found->second] == 0) shares_.erase(found->second);
  under_way_.erase(found);
  const ReadBudget budget(turn_bytes_max);  // as for the end of all, below
  curl_multi_remove_handle(multi_, easy);
}

/// Of those that wait, the first of the sender that has the least under way.
std::deque<CurlMulti::Waiting>::const_iterator CurlMulti::next_waiting() const {
  if (under_way_.size() >= requests_max_) return waiting_.end();
  const auto next = std::ranges::min_element(waiting_, {}, [this](const Waiting& one) {
    const auto share = shares_.find(one.sender);
    return share == shares_.end() ? 0 : share->second;
  });
  return next != waiting_.end() && may_begin(next->sender) ? next : waiting_.end();
}

void CurlMulti::begin_waiting(const Now& now) {
  for (auto next = next_waiting(); next != waiting_.end(); next = next_waiting()) {
    const Waiting chosen = *next;
    waiting_.erase(next);
    if (begin(chosen.easy, chosen.sender)) continue;
    CurlListener* listener = nullptr;
    curl_easy_getinfo(chosen.easy, CURLINFO_PRIVATE, &listener);
    listener->done(CURLE_FAILED_INIT, now);
  }
}

CurlMulti::~CurlMulti() {
  // TLS reads the waiting data before it says goodbye.
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
  if (!act(fd, mask)) connections_.had_more(fd);
}

/// False: there was more to read than a turn has time for.
bool CurlMulti::act(curl_socket_t fd, int mask) {
  int running = 0;
  const ReadBudget budget(turn_bytes_max);
  curl_multi_socket_action(multi_, fd, mask, &running);
  return !budget.is_spent();
}

void CurlMulti::do_work(const Now& now) {
  last_turn_ = now.mono;
  begin_waiting(now);
  if (new_timeout_) deadline_ = now.mono + *std::exchange(new_timeout_, std::nullopt);
  if (deadline_ <= now.mono) {
    deadline_ = never;
    act(CURL_SOCKET_TIMEOUT, 0);
  }
  tell_done(now);
  begin_waiting(now);
}

MonoTime CurlMulti::next_deadline() const {
  return new_timeout_ || next_waiting() != waiting_.end() ? last_turn_ : deadline_;
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
