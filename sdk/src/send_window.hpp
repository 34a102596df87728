// SendWindow: the conversation with the sidecar's confirm endpoint. It sends delivered events in
// numbered frames, until each frame is answered.
//
// Used by Courier. Thread: the courier's, except last_refusal(). Owns: the frames, and the events
// that wait for another attempt. Fails with: std::bad_alloc; then nothing is lost, and the caller
// may repeat the call. Limits: frames_in_flight_max frames without an answer,
// proto::confirm_window_frames from the lowest unanswered one to the highest.
//
// A batch becomes a frame as soon as fewer than frames_in_flight_max are in flight: an idle client
// sends at once, and under load frames grow by themselves. A frame always keeps its number: after a
// lost connection, all unanswered frames are sent again in order with the same numbers, and the
// sidecar takes each once (proto/README.md).
//
// Every event gets a final outcome. After a temporary refusal the events are sent again after a
// pause: a whole frame under its number, single events in a new frame. A frame that is too large
// for the sidecar is sent again in halves, down to the single event, which is then refused
// permanently. Frames that a sidecar may be unable to read, or that exceed the limits of the last
// one, wait until it has announced its limits; if necessary, a frame without events asks for them.
//
// Invariants between two calls:
// - frames_ has the numbers from the lowest unanswered one on, without a gap. An answered frame
//   has no events left; it stays until all before it are answered.
// - frames_in_flight_ frames are in flight, and only their answers count. Other answers, such as
//   those of an earlier connection, change nothing.
// - A frame that was in flight when a connection ended is unsure: the sidecar may have taken it,
//   though no answer says so. It keeps its number until the sidecar has refused it: under another
//   one its events could be taken twice.
#pragma once

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <random>
#include <span>
#include <string>

#include "outrider/outrider.h"
#include "proto/bytes.hpp"
#include "proto/confirm.hpp"
#include "sdk/src/batch.hpp"
#include "sdk/src/identity.hpp"
#include "sdk/src/link.hpp"
#include "sdk/src/unconfirmed.hpp"
#include "sdk/src/worker.hpp"

namespace outrider::sdk {

struct SendWindowOptions {
  std::chrono::milliseconds answer_timeout{10'000};
  std::chrono::milliseconds backoff_initial{100};
  std::chrono::milliseconds backoff_max{5'000};
};

class SendWindow {
 public:
  static constexpr std::size_t frames_in_flight_max = 16;

  /// `link` and `events` must outlive it.
  SendWindow(const SendWindowOptions& options, Link& link, Unconfirmed& events)
      : options_(options), link_(link), events_(events) {}

  /// False: the system has no random bytes for a client id.
  bool start();

  /// Takes the answers that have come in, some at a time. True: there were any.
  bool receive_answers();
  /// Sends the due frames, over a connected link. False: the link has no room.
  bool send_due();
  /// Whether a frame without an answer is so for too long.
  bool is_answer_late(SteadyTime now) const;
  /// All that is unanswered is to be sent again, over the next connection.
  void lose_connection(SteadyTime now);
  /// Makes room for new frames, and lets flush know.
  void forget_answered();
  /// The time to close is up.
  void expire();

  /// Nothing is unanswered, and nothing waits for another try.
  bool is_empty() const { return frames_.empty() && postponed_.empty(); }
  /// Another frame may be sent.
  bool has_place() const;
  /// When there is something to send, or an answer is late; SteadyTime::max(): never.
  SteadyTime next_due() const;

  /// One of obstacles.hpp: the last answer's reason why events wait.
  const char* obstacle() const;
  /// The number of the last refusal that an answer named, or that its limits make
  /// (proto/README.md); 0: none yet. For any thread.
  std::uint32_t last_refusal() const { return last_refusal_.load(std::memory_order_relaxed); }

  /// How long to wait before the next attempt, after this many failures.
  std::chrono::milliseconds backoff(std::chrono::milliseconds initial,
                                    std::chrono::milliseconds max, std::uint32_t times);

 private:
  enum class FrameState : std::uint8_t {
    unsent,
    waiting,  ///< for the sidecar's limits
    in_flight,
    answered,
  };
  enum class Limits : std::uint8_t { unknown, wanted, asked, known };
  struct Frame {
    std::uint64_t sequence = 0;
    Batch batch;
    FrameState state = FrameState::unsent;
    std::uint32_t event_count = 0;
    bool is_unsure = false;    ///< under this number, on its way when a connection ended
    bool was_refused = false;  ///< as a whole, temporarily
    SteadyTime due{};          ///< when it is to be sent, or else its answer is late
  };

  Frame& add_frame();
  bool make_frame(SteadyTime now);
  bool send(Frame& frame, SteadyTime now);
  bool can_be_read(Frame& frame, std::size_t bytes);

  bool take_answer(proto::ByteView message);
  void take_limits();
  void take_partly(Frame& frame);
  void refuse_for_now(Frame& frame);
  void refuse(Frame& frame, std::uint32_t refusal);
  void send_as_new(Frame& frame);
  void settle(Frame& frame, outrider_status status,
              std::span<const proto::RefusedEvent> refused = {}, std::size_t kept_bytes = 0);
  std::uint64_t first_unanswered() const;
  void note_refusal(std::uint64_t refusal) {
    last_refusal_.store(static_cast<std::uint32_t>(refusal), std::memory_order_relaxed);
  }

  const SendWindowOptions options_;
  Link& link_;
  Unconfirmed& events_;
  Identity identity_;
  std::deque<Frame> frames_;
  std::uint64_t first_sequence_ = 1;
  std::size_t frames_in_flight_ = 0;
  std::deque<Batch> postponed_;  ///< refused for the moment or too many, each with its due time
  bool is_turn_of_new_ = false;  ///< instead of the postponed ones
  Limits limits_state_ = Limits::unknown;
  proto::SaidLimits limits_;           ///< as of the last answer, of any connection
  std::uint64_t refusal_for_now_ = 0;  ///< in the last answer; 0: none
  std::atomic<std::uint32_t> last_refusal_ = 0;
  std::string message_;
  proto::ConfirmAnswer answer_;
  std::minstd_rand random_;
};

}  // namespace outrider::sdk
