// ZmqListener: a ZeroMQ socket that is bound to endpoints of the configuration and wakes the
// reactor.
//
// Used by ZmqSource (PULL) and ZmqConfirmSource (ROUTER). Ipc paths are held by IpcEndpoints, which
// it lets look after them once a second. For endpoints outside the process it raises the process's
// soft limit of open files to the hard one, for each client takes a descriptor. What clients may
// take of descriptors and memory is bounded by the SocketGate.
//
// Thread: the sidecar's one; never blocks. Owns: the socket and the ipc paths. Borrows: the
// reactor.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <zmq.hpp>

#include "sidecar/base/log.hpp"
#include "sidecar/base/reactor.hpp"
#include "sidecar/base/result.hpp"
#include "sidecar/base/ticker.hpp"
#include "sidecar/config/config.hpp"
#include "sidecar/net/gate_log.hpp"
#include "sidecar/net/ipc_endpoints.hpp"
#include "sidecar/net/socket_gate.hpp"

namespace outrider::sidecar {

class ZmqListener {
 public:
  /// Answers that wait for one client; beyond that they are dropped. The largest has 25 KiB: a
  /// client that does not read takes 3 MiB. None is dropped of a client with no more than
  /// unanswered_max frames unanswered (the SDK has 16): libzmq tells us of what it has read in
  /// steps of a half, and we ask it once in answers_unnoted_max answers.
  static constexpr int answers_max = 128;
  static constexpr int answers_unnoted_max = 16;
  static constexpr int unanswered_max = answers_max - answers_max / 2 - answers_unnoted_max;

  explicit ZmqListener(Reactor& reactor) : reactor_(reactor) {}
  ~ZmqListener();
  ZmqListener(const ZmqListener&) = delete;
  ZmqListener& operator=(const ZmqListener&) = delete;

  /// Binds all endpoints or none. A client's messages beyond `receive_frames_max` wait with it.
  Status open(void* context, zmq::socket_type type, int receive_frames_max,
              const std::vector<std::string>& endpoints, const IngestConfig& config, Log& log);

  /// False: nothing is there, or the socket is closed.
  bool receive(zmq::message_t& message);
  /// A ROUTER's first part, which libzmq makes and nobody has sent.
  bool receive_peer(zmq::message_t& message);
  /// To be called before each answer.
  void note_answer();
  /// The parts behind this one.
  void skip_rest(zmq::message_t& message);

  /// Removes the ipc paths; a tcp endpoint goes on taking clients until close(): to unbind it would
  /// cut off those who are connected, and what they have sent.
  void stop_listening();
  void close();

  bool is_open() const { return static_cast<bool>(socket_); }
  zmq::socket_ref socket() { return socket_; }

 private:
  Status bind(const std::string& endpoint, const IngestConfig& config);
  Status bind_listener(const std::string& endpoint, int fd);
  void look_after();
  bool has_more();
  void settle();

  Reactor& reactor_;
  Log* log_ = nullptr;
  zmq::socket_ref socket_;  ///< ours; a socket_t takes no context of a handle alone
  int fd_ = -1;
  std::optional<IpcEndpoints> ipcs_;
  std::shared_ptr<Intake> intake_;
  std::size_t unnoted_bytes_ = 0;  ///< received since libzmq was last asked about its peers
  int unnoted_answers_ = 0;
  std::optional<Ticker> ticker_;
  std::optional<Ticker> settler_;  ///< while the gate counts something that has not come
  std::optional<GateLog> gate_log_;
};

}  // namespace outrider::sidecar
