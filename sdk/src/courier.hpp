// Courier: the thread that keeps delivered events and sends them until the sidecar confirms them.
//
// Used by Client, one at a time; a forked child abandons the one it inherits and makes its own, and
// with it a new client id. It has three parts: Unconfirmed keeps the events and their limits,
// SendWindow talks to the sidecar, and Worker is the thread. The courier itself keeps the
// connection and decides when to sleep. If the connection is lost, or an answer on it is late, it
// is replaced after a pause that doubles.
//
// Thread: the public functions are safe from any thread; run() and everything that it calls belong
// to the courier's thread, including the confirm functions of the events, which are called without
// a lock. Owns: the thread, the link, the events. If the thread hangs in libzmq (is_finished()
// stays false), the object must be leaked. Fails with: outrider_status. Limits: those of
// unconfirmed.hpp and send_window.hpp, and the frames in flight that ZeroMQ holds.
//
// A close promises that nothing is taken after it and nothing is sent after its deadline. Events
// without an answer by then end with OUTRIDER_TIMEOUT. Every confirm function has returned before
// close_wait() returns, however long that takes.
#pragma once

#include <atomic>
#include <cstdint>
#include <span>

#include "outrider/outrider.h"
#include "proto/bytes.hpp"
#include "sdk/src/link.hpp"
#include "sdk/src/obstacles.hpp"
#include "sdk/src/send_window.hpp"
#include "sdk/src/unconfirmed.hpp"
#include "sdk/src/worker.hpp"

namespace outrider::sdk {

struct CourierOptions {
  LinkOptions link;
  SendWindowOptions window;
  std::size_t bytes_max = 0;
  std::size_t frame_bytes_max = 0;
};

class Courier {
 public:
  explicit Courier(const CourierOptions& options);

  /// Starts the thread. False: no thread, descriptor or random bytes left; may be tried again.
  bool start();

  /// Takes a copy of an event, given in pieces; it must be complete msgpack. OUTRIDER_OK: the
  /// confirm function is called once, with the outcome of the event. Any other status: the event
  /// was not taken, and the function is never called.
  outrider_status deliver(std::span<const proto::ByteView> pieces, Delivery delivery);

  /// True: all that was taken before the call is answered, and the confirm functions have returned.
  bool flush(SteadyTime deadline) { return events_.wait_answered(deadline); }

  /// Takes no more events; close_wait() follows.
  void close(SteadyTime deadline);
  /// Waits until all is answered or the deadline is over. True: all is answered.
  bool close_wait();
  bool is_finished() { return worker_.is_finished(); }
  void abandon() { worker_.abandon(); }

  bool is_connected() const { return is_connected_.load(std::memory_order_relaxed); }
  DeliveryCounts counts() { return events_.counts(); }
  std::uint32_t last_refusal() const { return window_.last_refusal(); }
  /// Why events are unconfirmed, or were at the end; empty: none are, or nothing is in the way.
  const char* obstacle();

 private:
  void run();
  bool turn();
  void mind_connection();
  void note_obstacle();
  void rest(bool has_room);
  void finish();

  const LinkOptions link_options_;
  Unconfirmed events_;

  // Shared with callers.
  std::atomic<bool> is_connected_ = false;
  std::atomic<const char*> obstacle_ = obstacles::none;

  // The thread's own.
  Link link_;
  SendWindow window_;
  std::uint64_t seen_disconnects_ = 0;
  bool has_no_means_ = false;             ///< the last try to open the link failed
  bool is_answer_missed_ = false;         ///< the last connection ended for that
  SteadyTime open_at_{};                  ///< not to be opened before
  std::uint32_t futile_connections_ = 0;  ///< that ended, since the last answer

  Worker worker_;
};

}  // namespace outrider::sdk
