#include "sidecar/fanout/zmq_transport.hpp"

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <deque>
#include <limits>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <zmq.h>

#include "sidecar/base/units.hpp"
#include "sidecar/config/endpoint.hpp"
#include "sidecar/fanout/connection_monitor.hpp"
#include "sidecar/fanout/fanout_log.hpp"
#include "sidecar/fanout/held_messages.hpp"
#include "sidecar/fanout/own_context.hpp"
#include "sidecar/net/intake.hpp"
#include "sidecar/net/socket_gate.hpp"
#include "sidecar/net/zmq_socket.hpp"

namespace outrider::sidecar {

namespace {

constexpr std::uint32_t socket_mode = 0660;
/// Peers send us subscriptions and nothing else; who sends more is cut off.
constexpr std::uint64_t peer_message_bytes_max = 64 * 1024;
constexpr std::uint32_t peer_parts_max = 16;
/// A subscription of the longest topic takes libzmq some 12 KiB, so that a peer holds 50 MiB at
/// most.
constexpr std::uint32_t peer_subscriptions_max = 4096;
constexpr ScanLimits pub_limits{peer_message_bytes_max, peer_parts_max, peer_subscriptions_max,
                                "SUB XSUB"};
constexpr ScanLimits push_limits{
    .message_bytes_max = peer_message_bytes_max, .message_parts_max = 0, .peer_types = "PULL"};
/// Of whom we connect to. libzmq itself refuses other types, and says so to ConnectionMonitor.
constexpr ScanLimits connect_limits{.message_bytes_max = peer_message_bytes_max,
                                    .message_parts_max = peer_parts_max,
                                    .subscriptions_max = peer_subscriptions_max,
                                    .sender_types = "SUB XSUB"};
/// How long after a socket of another kind was met the next try comes.
constexpr Duration retry_interval = std::chrono::seconds(1);
/// A replaced socket may still send to healthy peers for this long.
constexpr int replaced_linger_ms = 1000;
/// One line about another kind of socket in this time.
constexpr Duration line_interval = std::chrono::minutes(1);
/// The bytes that the kernel holds for one worker; it doubles the number, and its own overhead
/// comes out of that.
constexpr int push_kernel_bytes = 64 * 1024;
/// An attempt that has sent a part of its events waits this long for room, and is then completed:
/// the rest returns to the queue, where events expire and have an order.
constexpr Duration room_wait_max = std::chrono::milliseconds(10);

/// The data of all peers that the sidecar connects to: there is no way to tell whose connection it
/// is.
const std::shared_ptr<Intake>& intake_of_connects() {
  static const auto intake = [] {
    auto made = std::make_shared<Intake>(connect_limits, Bound::turn);
    SocketGate::watch_connects(made);
    return made;
  }();
  return intake;
}

class ZmqTransport final : public Transport {
 public:
  ZmqTransport(const DestinationConfig& config, Reactor& reactor, Log& log)
      : name_(config.name),
        urls_(config.urls),
        binds_(config.zmq_bind),
        send_events_max_(static_cast<int>(
            std::min<std::uint64_t>(zmq_events_a_peer(config), std::numeric_limits<int>::max()))),
        log_(log),
        socket_(reactor, log),
        connections_(reactor),
        fanout_log_(config.name, config.zmq_pattern == ZmqPattern::pub, log),
        is_pub_(config.zmq_pattern == ZmqPattern::pub),
        intake_(!binds_   ? intake_of_connects()
                : is_pub_ ? std::make_shared<Intake>(pub_limits, Bound::turn)
                          : std::make_shared<Intake>(push_limits, Bound::none)),
        ends_in_newline_(config.format != BodyFormat::msgpack),
        timeout_(config.timeout) {
    intake_->attach();
  }
  ~ZmqTransport() override { close(MonoTime{}); }
  ZmqTransport(const ZmqTransport&) = delete;
  ZmqTransport& operator=(const ZmqTransport&) = delete;

  Status open(const DestinationConfig& config, void* context);

  void start(const Attempt& attempt, const Now& /*now*/) override;
  void cancel(AttemptId id) override;
  void collect(const Now& now, std::vector<Completion>& completions) override;
  MonoTime next_deadline() const override;
  void hurry(const Now& /*now*/) override { is_hurried_ = true; }
  std::uint64_t held() const override { return held_.count(); }
  void close(MonoTime deadline) override;

 private:
  enum class Sent : std::uint8_t { done, lost, not_yet, broken };

  struct Waiting {
    Attempt attempt;
    MonoTime gives_up_at = never;       ///< never: not yet tried
    std::uint32_t sent = 0;             ///< events from the front
    std::vector<std::uint32_t> lost{};  ///< of these, by their places
  };

  Status open_socket();
  void close_socket(int linger_ms);
  void replace_socket(const Now& now);
  void look_at_connections(const Now& now);
  Status connect(const std::string& url);
  std::optional<Completion> advance(Waiting& waiting, bool writable, const Now& now);
  static void give_verdicts(const Waiting& waiting, Completion& completion);
  Sent send_events(Waiting& waiting);
  Sent send_event(std::string_view topic, std::string_view event);

  const std::string name_;
  const std::vector<std::string> urls_;
  const bool binds_;
  const int send_events_max_;
  std::unique_ptr<OwnContext> own_context_;
  void* context_ = nullptr;
  Log& log_;
  ZmqSocket socket_;  ///< not open: closed, or it could not be reopened
  ConnectionMonitor connections_;
  HeldMessages held_;
  FanoutLog fanout_log_;
  const bool is_pub_;
  const std::shared_ptr<Intake> intake_;
  const bool ends_in_newline_;  ///< each event, as the encoder writes it
  const Duration timeout_;
  std::deque<Waiting> waiting_;
  bool is_closed_ = false;
  bool is_hurried_ = false;
  // Since look_at_connections() was called last.
  std::uint64_t held_at_look_ = 0;
  std::uint64_t sent_since_look_ = 0;
  std::uint64_t heard_since_look_ = 0;
  std::uint64_t unheard_since_look_ = 0;
  std::uint64_t ended_ = 0;  ///< connections, as of then
  bool has_sent_any_ = false;
  bool has_sent_since_end_ = false;  ///< of a connection
  MonoTime last_turn_{};
  MonoTime next_socket_ = never;  ///< when this one, which has given up, is replaced
  MonoTime next_line_{};
};

/// All of them end at a time: who is closed first does not wait, the destructor of a context does.
void ZmqTransport::close(MonoTime deadline) {
  if (std::exchange(is_closed_, true)) return;
  intake_->detach();
  fanout_log_.finish();
  // libzmq would wait for a peer that does not read the answers to its pings. Where no event was
  // ever sent it need not.
  const auto linger = std::chrono::ceil<std::chrono::milliseconds>(
      has_sent_any_ ? deadline - last_turn_ : Duration::zero());
  // Nothing waits to be sent to peers that are not there and that nothing is held for.
  const bool has_any =
      has_sent_any_ && socket_.is_open() && (connections_.count() > 0 || held_.count() > 0);
  close_socket(static_cast<int>(std::clamp<std::int64_t>(linger.count(), 0, 3'600'000)));
  if (own_context_) own_context_->end(last_turn_, has_any ? deadline : MonoTime{});
}

Status ZmqTransport::open(const DestinationConfig& config, void* context) {
  if (has_own_context(config)) {
    own_context_ = std::make_unique<OwnContext>();
    context = own_context_->get();
  }
  context_ = context;
  return open_socket();
}

Status ZmqTransport::open_socket() {
  Status status = socket_.open(context_, is_pub_ ? ZMQ_PUB : ZMQ_PUSH, intake_);
  if (!status.ok()) return status.error().with_prefix("cannot create a socket");
  status = connections_.open(context_, socket_.handle());
  if (!status.ok()) return status;
  socket_.set(ZMQ_SNDHWM, send_events_max_);
  if (is_pub_) {
    socket_.set(ZMQ_XPUB_NODROP, 1);
  } else {
    // Nothing is entrusted to a peer that is not there, and little to one that does not read.
    socket_.set(ZMQ_IMMEDIATE, 1);
    socket_.set(ZMQ_SNDBUF, push_kernel_bytes);
  }
  for (const std::string& url : urls_) {
    status = binds_ ? socket_.bind(url, socket_mode, "") : connect(url);
    if (!status.ok()) return status;
    if (next_line_ != MonoTime{}) continue;  // not the first socket
    log_.info(binds_ ? "fan-out listens" : "fan-out connects",
              {{"destination", name_}, {"endpoint", socket_.last_endpoint()}});
  }
  return Nothing{};
}

void ZmqTransport::close_socket(int linger_ms) {
  connections_.close();
  socket_.close(linger_ms);
}

/// libzmq stops connecting where it has met another kind of socket; a new socket does connect. It
/// also connects to the healthy peers, which lose nothing: the old one sends its data.
void ZmqTransport::replace_socket(const Now& now) {
  next_socket_ = never;
  if (socket_.is_open() && !connections_.has_given_up()) return;
  if (now.mono >= next_line_) {
    next_line_ = now.mono + line_interval;
    log_.warn(
        is_pub_ ? "something other than a SUB socket answers a fan-out; the sidecar keeps trying"
                : "something other than a PULL socket answers a fan-out; the sidecar keeps trying",
        {{"destination", name_}});
  }
  close_socket(replaced_linger_ms);
  if (Status status = open_socket(); !status.ok()) {
    close_socket(0);
    next_socket_ = now.mono + retry_interval;
  }
}

void ZmqTransport::look_at_connections(const Now& now) {
  if (!socket_.is_open()) return;
  // All that an end which is found now has cost was held then, or has been sent since: libzmq tells
  // of an end before it throws anything away.
  const std::uint64_t events_max = held_at_look_ + std::exchange(sent_since_look_, 0);
  held_at_look_ = held_.count();
  connections_.count();
  const std::uint64_t ended = connections_.ended() - std::exchange(ended_, connections_.ended());
  // About events in the kernel or in the worker itself, nothing is known.
  if (ended > 0 && (events_max > 0 || (!is_pub_ && std::exchange(has_sent_since_end_, false)))) {
    fanout_log_.gone(ended, events_max, now);
  }
  fanout_log_.sent(std::exchange(heard_since_look_, 0), std::exchange(unheard_since_look_, 0), now);
  fanout_log_.look(now);
  if (!binds_ && connections_.has_given_up() && next_socket_ == never) {
    next_socket_ = now.mono + retry_interval;
  }
}

Status ZmqTransport::connect(const std::string& url) {
  if (zmq_connect(socket_.handle(), url.c_str()) == 0) return Nothing{};
  return Error{"cannot connect to " + url + ": " + zmq_strerror(zmq_errno())};
}

void ZmqTransport::start(const Attempt& attempt, const Now& /*now*/) {
  waiting_.push_back({.attempt = attempt});
}

void ZmqTransport::cancel(AttemptId id) {
  std::erase_if(waiting_, [id](const Waiting& waiting) { return waiting.attempt.id == id; });
}

void ZmqTransport::collect(const Now& now, std::vector<Completion>& completions) {
  last_turn_ = now.mono;
  if (is_closed_) return;
  look_at_connections(now);
  if (now.mono >= next_socket_) replace_socket(now);
  // This also lets libzmq take note of its peers, without which its descriptor stays ready.
  const bool writable = socket_.is_writable();
  intake_->take_all();
  while (!waiting_.empty()) {
    Waiting& first = waiting_.front();
    std::optional<Completion> completion = advance(first, writable, now);
    if (!completion) return;
    completion->id = first.attempt.id;
    completions.push_back(std::move(*completion));
    waiting_.pop_front();
  }
}

/// Nothing: it waits for room.
std::optional<Completion> ZmqTransport::advance(Waiting& waiting, bool writable, const Now& now) {
  const std::uint32_t sent_before = waiting.sent;
  const Sent sent = writable ? send_events(waiting) : Sent::not_yet;
  Completion completion;
  const bool has_sent = waiting.sent > 0;
  completion.result = has_sent ? AttemptResult::sent : AttemptResult::failed;
  if (has_sent) give_verdicts(waiting, completion);
  if (sent == Sent::done) return completion;
  if (sent == Sent::broken) {
    completion.detail = std::string("cannot send: ") + zmq_strerror(zmq_errno());
    return completion;
  }
  if (waiting.sent > sent_before || waiting.gives_up_at == never) {
    waiting.gives_up_at = now.mono + (has_sent ? room_wait_max : timeout_);
  }
  const bool waits = now.mono < waiting.gives_up_at && !(is_hurried_ && has_sent);
  if (waits) return std::nullopt;
  if (!has_sent) {
    completion.detail = "no peer accepted an event within " + format_duration(timeout_);
  }
  return completion;
}

/// None if all went out: the result speaks of all.
void ZmqTransport::give_verdicts(const Waiting& waiting, Completion& completion) {
  const std::size_t events = waiting.attempt.event_ends->size();
  if (waiting.sent == events && waiting.lost.empty()) return;
  completion.verdicts.assign(waiting.sent, {EventFate::taken});
  completion.verdicts.resize(events, {EventFate::untried});
  for (const std::uint32_t place : waiting.lost) completion.verdicts[place].fate = EventFate::lost;
}

MonoTime ZmqTransport::next_deadline() const {
  if (is_closed_) return never;
  // Events that reached nobody are logged in the next turn.
  if (unheard_since_look_ > 0) return last_turn_;
  const MonoTime deadline = std::min(next_socket_, fanout_log_.next_deadline());
  if (waiting_.empty()) return deadline;
  // An event that was never tried is due at once.
  const MonoTime gives_up_at = waiting_.front().gives_up_at;
  return gives_up_at == never ? last_turn_ : std::min(gives_up_at, deadline);
}

/// Not lost: those that were are in `waiting`.
ZmqTransport::Sent ZmqTransport::send_events(Waiting& waiting) {
  const std::vector<std::uint32_t>& ends = *waiting.attempt.event_ends;
  std::uint32_t begin = waiting.sent == 0 ? 0 : ends[waiting.sent - 1];
  while (waiting.sent < ends.size()) {
    const std::uint32_t end = ends[waiting.sent];
    std::string_view event = waiting.attempt.body.substr(begin, end - begin);
    if (ends_in_newline_ && event.ends_with('\n')) event.remove_suffix(1);
    begin = end;
    const Sent sent = send_event((*waiting.attempt.topics)[waiting.sent], event);
    if (sent == Sent::not_yet || sent == Sent::broken) return sent;
    if (sent == Sent::lost) waiting.lost.push_back(waiting.sent);
    ++waiting.sent;
    ++sent_since_look_;
    has_sent_any_ = has_sent_since_end_ = true;
  }
  return Sent::done;
}

ZmqTransport::Sent ZmqTransport::send_event(std::string_view topic, std::string_view event) {
  Taken taken = held_.send(socket_.handle(), topic, event);
  // Its worker went between the two parts; each time there is one less.
  while (!is_pub_ && taken == Taken::by_nobody) taken = held_.send(socket_.handle(), topic, event);
  if (taken != Taken::no) {
    // A subscriber that is skipped because it lags is still a subscriber.
    const bool is_unheard = taken == Taken::by_nobody && held_.count() == 0;
    ++(is_unheard ? unheard_since_look_ : heard_since_look_);
    return Sent::done;
  }
  if (zmq_errno() != EAGAIN) return Sent::broken;
  if (!is_pub_) return Sent::not_yet;
  ++heard_since_look_;
  // A subscriber has no room; sent again for the others. libzmq does not report further losses of a
  // subscriber that it skips, so a single subscriber is not skipped, and its count is exact.
  if (connections_.count() > 1) {
    socket_.set(ZMQ_XPUB_NODROP, 0);
    held_.send(socket_.handle(), topic, event);
    socket_.set(ZMQ_XPUB_NODROP, 1);
  }
  return Sent::lost;
}

}  // namespace

bool has_own_context(const DestinationConfig& config) {
  if (config.zmq_bind) return false;
  bool has_name = false;
  for (const std::string& url : config.urls) {
    const Result<Endpoint> endpoint = parse_connect_endpoint(url);
    if (!endpoint.ok()) continue;
    // Who is to be found in the process is in the context that is shared.
    if (endpoint.value().kind == Endpoint::Kind::inproc) return false;
    has_name = has_name || has_host_name(endpoint.value());
  }
  return has_name;
}

Result<std::unique_ptr<Transport>> make_zmq_transport(const DestinationConfig& config,
                                                      void* context, Reactor& reactor, Log& log) {
  auto transport = std::make_unique<ZmqTransport>(config, reactor, log);
  if (Status status = transport->open(config, context); !status.ok()) return status.error();
  return std::unique_ptr<Transport>(std::move(transport));
}

}  // namespace outrider::sidecar
