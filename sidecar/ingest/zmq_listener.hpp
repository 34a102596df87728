// ZmqListener: a ZmqSocket that is bound to endpoints of the configuration, and receives.
//
// Used by ZmqSource (PULL) and ZmqConfirmSource (ROUTER). For endpoints outside the process it
// raises the process's soft limit of open files to the hard one, because each client takes a
// descriptor. It reports received messages to the Intake, with which the SocketGate bounds the
// memory of the clients.
//
// Thread: the sidecar's one; blocks only in open() (see ZmqSocket). Owns: the socket. Borrows: the
// context, the reactor and the log. Fails with: an Error when it is opened.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <zmq.hpp>

#include "sidecar/base/log.hpp"
#include "sidecar/base/reactor.hpp"
#include "sidecar/base/result.hpp"
#include "sidecar/base/ticker.hpp"
#include "sidecar/config/config.hpp"
#include "sidecar/net/intake.hpp"
#include "sidecar/net/zmq_socket.hpp"

namespace outrider::sidecar {

class ZmqListener {
 public:
  /// Answers that wait for one client; beyond that they are dropped. The largest has 25 KiB: a
  /// client that does not read takes 3 MiB. No answer is dropped for a client with at most
  /// unanswered_max unanswered frames (the SDK has 16): libzmq reports read answers in steps of a
  /// half, and we ask it once in answers_unnoted_max answers.
  static constexpr int answers_max = 128;
  static constexpr int answers_unnoted_max = 16;
  static constexpr int unanswered_max = answers_max - answers_max / 2 - answers_unnoted_max;

  ZmqListener(Reactor& reactor, Log& log) : reactor_(reactor), log_(log), socket_(reactor, log) {}

  /// Binds all endpoints or none. `type`: ZMQ_PULL or ZMQ_ROUTER. A client's messages beyond
  /// `receive_frames_max` wait with it.
  Status open(void* context, int type, int receive_frames_max,
              const std::vector<std::string>& endpoints, const IngestConfig& config);

  /// False: nothing is there, or the socket is closed.
  bool receive(zmq::message_t& message);
  /// A ROUTER's first part, which libzmq adds.
  bool receive_peer(zmq::message_t& message);
  /// To be called before each answer.
  void note_answer();
  /// The parts after this one.
  void skip_rest(zmq::message_t& message);

  /// Others than this process can connect to the endpoint.
  static bool is_outside(std::string_view endpoint);

  /// See ZmqSocket.
  void stop_listening() { socket_.stop_listening(); }
  void close(int linger_ms = 0);

  /// Null when it is closed.
  void* socket() const { return socket_.handle(); }

 private:
  Status bind(const std::string& endpoint, const IngestConfig& config);
  void settle();

  Reactor& reactor_;
  Log& log_;
  ZmqSocket socket_;
  std::shared_ptr<Intake> intake_;
  std::size_t unnoted_bytes_ = 0;  ///< received since libzmq was last asked about its peers
  int unnoted_answers_ = 0;
  std::optional<Ticker> settler_;  ///< while the gate counts something that has not come
};

}  // namespace outrider::sidecar
