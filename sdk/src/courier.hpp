// Courier: the thread that keeps delivered events and sends them until the sidecar confirms them.
//
// Used by Client, one at a time; a forked child abandons the one it inherits and makes its own, and
// with it a new client id. Events gather in batches; a batch becomes a frame, with a number of its
// own for ever, as soon as less than frames_in_flight_max frames are without an answer: an idle
// client sends at once, and under load frames grow up to frame_bytes_max by themselves. A frame is
// kept until it is answered. When the connection is lost, or no answer comes, the socket is thrown
// away and all that is unanswered is sent again over a new one, in order and with the same numbers;
// the sidecar takes each once (proto/README.md).
//
// Every event ends. Events that the sidecar refuses for the moment go again in a new frame; a frame
// that is more than it takes at once goes again in halves, down to the single event, which is then
// refused for good. Frames that a sidecar may not even read, or that are more than the last one
// took, wait until it has said its limits; nothing beyond them is sent.
//
// Thread: the public functions are safe from any thread; run() and what it calls is the thread's
// own, and so are the confirm functions of the events, which are called without a lock. Owns: the
// thread, the link, the events. Where the thread hangs in libzmq (is_finished() stays false), this
// must be leaked. Fails with: outrider_status; OUTRIDER_FULL beyond bytes_max, never by blocking.
// Limits: bytes_max of events and their records, and what ZeroMQ holds of the frames in flight;
// destinations that are full take no more where they have half of it, whatever the topics, and
// while they have anything there is an eighth more for the others; proto::confirm_window_frames
// frames, of proto::refused_events_max events.
#pragma once

#include <array>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <mutex>
#include <random>
#include <span>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "outrider/outrider.h"
#include "proto/bytes.hpp"
#include "proto/confirm.hpp"
#include "sdk/src/batch.hpp"
#include "sdk/src/link.hpp"
#include "sdk/src/obstacles.hpp"
#include "sdk/src/stuck_topics.hpp"
#include "sdk/src/worker.hpp"

namespace outrider::sdk {

struct CourierOptions {
  LinkOptions link;
  std::size_t bytes_max = 0;
  std::size_t frame_bytes_max = 0;
  std::chrono::milliseconds answer_timeout{10'000};
  std::chrono::milliseconds backoff_initial{100};
  std::chrono::milliseconds backoff_max{5'000};
};

/// taken = confirmed + refused + expired + unconfirmed, at every moment.
struct CourierCounts {
  std::uint64_t taken_events = 0;
  std::uint64_t confirmed_events = 0;
  std::uint64_t refused_events = 0;  ///< for good, by the sidecar
  std::uint64_t expired_events = 0;  ///< unconfirmed when the time to close was up
  std::uint64_t unconfirmed_events = 0;
  std::uint64_t unanswered_events = 0;  ///< of these two: sent; the others are not with the sidecar
  std::uint64_t unconfirmed_bytes = 0;
};

class Courier {
 public:
  static constexpr std::size_t frames_in_flight_max = 16;
  static constexpr std::size_t reserve_share = 8;

  explicit Courier(const CourierOptions& options);
  ~Courier();
  Courier(const Courier&) = delete;
  Courier& operator=(const Courier&) = delete;

  /// Starts the thread. False: no thread or descriptor left; may be tried again.
  bool start();

  /// Takes a copy of an event, given in pieces; it must be whole msgpack. OUTRIDER_OK: the delivery
  /// is told once what became of it. Else it was not taken, and nobody is told.
  outrider_status deliver(std::span<const proto::ByteView> pieces, Delivery delivery);

  /// True: all that was taken before the call has been answered, and the deliveries have been told.
  bool flush(SteadyTime deadline);

  /// Takes no more events; close_wait() follows.
  void close(SteadyTime deadline);
  /// Waits until all is answered or the deadline is over; the rest is told OUTRIDER_TIMEOUT, and
  /// that is waited for however long it takes: nobody is told after it. True: there was no rest.
  bool close_wait();
  bool is_finished();

  bool is_connected() const { return is_connected_.load(std::memory_order_relaxed); }
  CourierCounts counts();
  /// The number of the last refusal that an answer named, or that its limits make
  /// (proto/README.md); 0: none yet.
  std::uint32_t last_refusal() const { return last_refusal_.load(std::memory_order_relaxed); }
  /// Why events are unconfirmed, or were at the end; empty: none are, or nothing is in the way.
  const char* obstacle();

  /// For fork: nobody else is inside between lock and unlock.
  void lock() { mutex_.lock(); }
  void unlock() { mutex_.unlock(); }
  /// In a forked child: the thread is gone and nothing of this may be touched any more.
  static void abandon(Courier* courier);

 private:
  enum class FrameState : std::uint8_t {
    unsent,
    waiting,  ///< for the sidecar's limits
    in_flight,
    answered,
  };
  enum class Limits : std::uint8_t { unknown, wanted, asked, known };
  struct Frame {
    std::string head;
    Batch batch;
    FrameState state = FrameState::unsent;
    std::uint32_t event_count = 0;
    bool is_unsure = false;    ///< under this number, on its way when a connection ended
    bool was_refused = false;  ///< as a whole, for the moment
    SteadyTime due{};          ///< when it is to be sent, or else its answer is late
  };

  bool has_room(std::size_t bytes, std::string_view topic) const;

  void run();
  bool turn();
  void finish();
  /// The time to close is up.
  bool is_over();

  void receive_answers();
  void take_answer(proto::ByteView message);
  void take_limits();
  void refuse_for_now(Frame& frame);
  void take_partly(Frame& frame);
  void refuse(Frame& frame, std::uint32_t refusal);
  void send_as_new(Frame& frame);
  void settle(Frame& frame, outrider_status status,
              const std::vector<proto::RefusedEvent>& refused);
  void forget_answered();
  std::uint64_t first_unanswered() const;
  void note_refusal(std::uint64_t refusal) {
    last_refusal_.store(static_cast<std::uint32_t>(refusal), std::memory_order_relaxed);
  }

  void note_obstacle();
  void mind_connection();
  void reconnect(SteadyTime now);
  bool is_answer_late(SteadyTime now) const;
  bool send_due();
  bool send(Frame& frame, SteadyTime now);
  /// Keeps unanswered_events_ true.
  void count_as(bool may_be_taken, Batch& batch);
  bool can_be_read(Frame& frame);
  Frame& add_frame(std::uint32_t event_count);
  bool make_frame(SteadyTime now);
  void rest(bool has_room);
  long rest_ms(SteadyTime now) const;

  void wake();
  /// How long to wait before the next try, after so many in vain.
  std::chrono::milliseconds backoff(std::chrono::milliseconds initial,
                                    std::chrono::milliseconds max, std::uint32_t times);

  const CourierOptions options_;
  int wake_fd_ = -1;
  std::thread thread_;
  Courier* next_abandoned_ = nullptr;

  // Shared with callers.
  std::atomic<bool> is_connected_ = false;
  std::atomic<std::uint32_t> last_refusal_ = 0;
  std::atomic<const char*> obstacle_ = obstacles::none;
  std::atomic<std::uint64_t> unanswered_events_ = 0;  ///< whose batches may be taken
  std::atomic<std::uint64_t> event_bytes_said_ = 0;   ///< by the sidecar that is connected; 0: not
  std::atomic<std::size_t> batch_bytes_max_;          ///< by the last limits that were said
  std::mutex mutex_;
  std::condition_variable changed_;
  // Guarded by mutex_.
  std::deque<Batch> waiting_;
  std::size_t held_bytes_ = 0;
  StuckTopics stuck_topics_;
  CourierCounts counts_;
  std::uint64_t answered_in_order_ = 0;  ///< of the events taken, all up to this one are answered
  bool is_asleep_ = false;               ///< the thread waits for events to be delivered
  bool is_closing_ = false;
  bool is_settled_ = false;  ///< every delivery has been told
  bool is_finished_ = false;
  SteadyTime deadline_{};

  // The thread's own.
  Link link_;
  std::array<std::uint8_t, 16> client_id_{};
  std::string host_;
  std::deque<Batch> postponed_;  ///< refused for the moment or too many, each with its due time
  Limits limits_state_ = Limits::unknown;
  proto::SaidLimits limits_;  ///< as of the last answer, of any connection
  std::deque<Frame> frames_;  ///< by their numbers, from the lowest unanswered one on
  std::uint64_t first_sequence_ = 1;
  std::size_t frames_in_flight_ = 0;
  std::uint64_t seen_disconnects_ = 0;
  std::uint64_t refusal_for_now_ = 0;     ///< in the last answer; 0: none
  bool is_turn_of_new_ = false;           ///< and not of what was postponed
  bool has_no_means_ = false;             ///< the last try to open the link failed
  bool is_answer_missed_ = false;         ///< the last connection ended for that
  SteadyTime open_at_{};                  ///< not to be opened before
  std::uint32_t futile_connections_ = 0;  ///< that ended, since the last answer
  std::string message_;
  proto::ConfirmAnswer answer_;
  std::minstd_rand random_;
};

}  // namespace outrider::sdk
