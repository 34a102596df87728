#include "sidecar/ingest/zmq_source.hpp"

#include <algorithm>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>

#include <zmq.hpp>

#include "sidecar/ingest/zmq_listener.hpp"

namespace outrider::sidecar {

namespace {

/// Per client. libzmq stops reading from a client at this mark, and data that an ending client has
/// left in the kernel's buffer by then is lost; so it is higher than the capacity of such a buffer.
constexpr int receive_frames_max = 1000;
/// Per client that wants confirmations, and loses nothing by it.
constexpr int receive_confirmed_max = 64;

class ZmqSource final : public FrameSource {
 public:
  ZmqSource(Reactor& reactor, Log& log) : listener_(reactor, log) {}

  Status open(const IngestConfig& config, void* context) {
    return listener_.open(context, ZMQ_PULL, receive_frames_max, config.endpoints, config);
  }

  std::optional<proto::ByteView> receive() override {
    if (!listener_.receive(message_)) return std::nullopt;
    if (message_.more()) {
      listener_.skip_rest(message_);
      return proto::ByteView{};
    }
    return proto::ByteView(message_.data<std::uint8_t>(), message_.size());
  }

  void stop_listening() override { listener_.stop_listening(); }
  void close() override { listener_.close(); }

 private:
  ZmqListener listener_;
  zmq::message_t message_;
};

/// The name of a peer is its ZeroMQ identity after one byte. The byte records whether an empty part
/// precedes its frames and must precede the answers, as with REQ sockets.
class ZmqConfirmSource final : public ConfirmSource {
 public:
  ZmqConfirmSource(Reactor& reactor, Log& log) : log_(log), listener_(reactor, log) {}

  Status open(const IngestConfig& config, void* context) {
    return listener_.open(context, ZMQ_ROUTER, receive_confirmed_max, {config.confirm_endpoint},
                          config);
  }

  std::optional<PeerFrame> receive() override {
    if (!listener_.receive_peer(message_)) return std::nullopt;
    std::string peer(1, is_bare);
    peer += message_.to_string_view();
    if (!message_.more() || !listener_.receive(message_)) return PeerFrame{peer, {}};
    if (message_.empty() && message_.more()) {
      peer[0] = has_delimiter;
      if (!listener_.receive(message_)) return PeerFrame{peer, {}};
    }
    if (message_.more()) {
      listener_.skip_rest(message_);
      return PeerFrame{peer, {}};
    }
    note_connection(peer);
    return PeerFrame{peer, proto::ByteView(message_.data<std::uint8_t>(), message_.size())};
  }

  void answer(std::string_view peer, std::string_view bytes) override {
    listener_.note_answer();
    const auto send = [this](std::string_view part, int more) {
      return zmq_send(listener_.socket(), part.data(), part.size(), ZMQ_DONTWAIT | more) >= 0;
    };
    // A peer that has gone asks again when it is back.
    if (!send(peer.substr(1), ZMQ_SNDMORE)) return;
    if (peer.front() == has_delimiter) send({}, ZMQ_SNDMORE);
    send(bytes, 0);
  }

  void stop_listening() override { listener_.stop_listening(); }

  /// The context, which is ended next, waits for the last answers.
  void close() override { listener_.close(linger_ms); }

 private:
  static constexpr char is_bare = 0;
  static constexpr char has_delimiter = 1;
  static constexpr int linger_ms = 200;
  static constexpr std::size_t named_peers_max = 4096;

  /// Two clients that use one identity take it from each other for ever: the log says so, each time
  /// that it has happened twice as often. Identities that libzmq makes up begin with a zero byte.
  void note_connection(const std::string& peer) {
    if (peer.size() < 2 || peer[1] == 0) return;
    const int connection = zmq_msg_get(message_.handle(), ZMQ_SRCFD);
    if (named_peers_.size() >= named_peers_max) named_peers_.clear();
    const auto [known, is_new] = named_peers_.try_emplace(peer, connection);
    if (is_new || std::exchange(known->second, connection) == connection) return;
    if (++handed_over_ < next_line_) return;
    next_line_ = handed_over_ * 2;
    log_.warn(
        "a client reconnected under its ZeroMQ identity and took over the answers; two clients "
        "must not use the same identity",
        {{"times", std::to_string(handed_over_)}});
  }

  Log& log_;
  std::unordered_map<std::string, int> named_peers_;  ///< and the descriptor they came by
  std::uint64_t handed_over_ = 0;
  std::uint64_t next_line_ = 1;
  ZmqListener listener_;
  zmq::message_t message_;
};

}  // namespace

Result<std::unique_ptr<FrameSource>> open_zmq_source(const IngestConfig& config, void* context,
                                                     Reactor& reactor, Log& log) {
  auto source = std::make_unique<ZmqSource>(reactor, log);
  if (Status status = source->open(config, context); !status.ok()) return status.error();
  return std::unique_ptr<FrameSource>(std::move(source));
}

Result<std::unique_ptr<ConfirmSource>> open_zmq_confirm_source(const IngestConfig& config,
                                                               void* context, Reactor& reactor,
                                                               Log& log) {
  auto source = std::make_unique<ZmqConfirmSource>(reactor, log);
  if (Status status = source->open(config, context); !status.ok()) return status.error();
  return std::unique_ptr<ConfirmSource>(std::move(source));
}

bool has_outside_endpoint(const std::vector<std::string>& endpoints) {
  return std::ranges::any_of(endpoints, ZmqListener::is_outside);
}

}  // namespace outrider::sidecar
