// Link: one ZeroMQ socket that knows whether it is connected. The only user of libzmq here.
//
// Used by Shipper, Courier and SendWindow. Thread: all of it belongs to its user's thread. Owns:
// the socket, its monitor and, except for inproc, the context. Fails with: bool; it never throws.
// It checks first that file descriptors and threads are left, so that libzmq does not abort.
// Limits: a peer may send 64 messages with parts of up to 1 MiB. libzmq does not limit the number
// of parts in a message: in this the peer is trusted.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

namespace outrider::sdk {

enum class LinkKind : std::uint8_t {
  push,    ///< sends
  dealer,  ///< sends and receives
};

struct LinkOptions {
  LinkKind kind = LinkKind::push;
  std::string endpoint;
  int send_frames_max = 0;
  int reconnect_initial_ms = 0;
  int reconnect_max_ms = 0;
  /// How often the peer is asked whether it is alive, and how long it may take to answer; 0: never.
  /// A full peer does not answer either, and a half-written frame is lost then: only for links that
  /// send again.
  int heartbeat_ms = 0;
  /// Of an inproc endpoint, and not owned. All others have their own context: only closing it shows
  /// what the operating system has taken.
  void* inproc_context = nullptr;
};

/// An endpoint that a socket can be connected to: ipc://PATH, tcp://HOST:PORT, inproc://NAME.
bool is_usable_endpoint(std::string_view endpoint);

/// Within the process, for sockets of one context.
bool is_inproc_endpoint(std::string_view endpoint);

class Link {
 public:
  explicit Link(LinkOptions options);
  ~Link();
  Link(const Link&) = delete;
  Link& operator=(const Link&) = delete;

  /// Makes the socket; it connects by itself from then on. To be tried again later if false.
  bool open();
  bool is_open() const;

  /// As of the last wait().
  bool is_connected() const { return is_connected_; }

  /// As of the last wait(): another kind of socket, or another service, listens there, and the link
  /// tries no more. Its unsent frames are lost; discard() and open() try again.
  bool is_given_up() const { return is_given_up_; }

  /// How often a connection has ended, as of the last wait(); it may be back already.
  std::uint64_t disconnects() const { return disconnects_; }

  /// Sleeps until `wake_fd` is readable, the connection comes or goes, a message can be received,
  /// with `for_room` until a frame can be sent, or `timeout_ms` have passed (-1: no limit).
  void wait(int wake_fd, bool for_room, long timeout_ms);

  /// Memory for a frame, or nullptr if there is none left; send() follows, over this socket or the
  /// next. The content of the last frame is gone, sent or not.
  std::uint8_t* make_frame(std::size_t bytes);
  /// Hands the frame to the socket. False: no room, try again after wait(for_room).
  bool send();

  /// The next received message. An unexpected one of several parts, and one for which there is no
  /// memory, is given as an empty one. False: there is none.
  bool receive(std::string& message);

  /// Makes sure that the operating system has everything that the socket has taken, so that the
  /// process may end at once. libzmq reports that only by closing, so the socket must be opened
  /// again. False: the time ran out, or `is_given_up` returned true, and frames may be lost. libzmq
  /// cannot be made to give up; the rest of its work then goes to a separate thread, which ends
  /// when the time does.
  bool hand_over(int timeout_ms, const std::function<bool()>& is_given_up);

  /// Throws the socket away, with all that it holds, and keeps the rest for open(): the context,
  /// and a frame that it had no room for.
  void discard();

  /// Closes everything; data that the socket still holds is sent within `linger_ms`. May take
  /// longer, and may hang: libzmq gives no promise here.
  void close(int linger_ms);

 private:
  struct Frame;
  struct Sockets;

  void read_monitor();

  const LinkOptions options_;
  void* context_ = nullptr;
  bool has_threads_ = false;  ///< the context, from its first socket on
  std::unique_ptr<Frame> frame_;
  std::unique_ptr<Sockets> sockets_;
  bool is_connected_ = false;
  bool is_torn_ = false;  ///< the connection broke while it was made: libzmq makes another
  bool is_given_up_ = false;
  std::uint64_t disconnects_ = 0;
};

}  // namespace outrider::sdk
