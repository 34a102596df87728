// FailureLog: what the log is told of one destination's failures: an outage at its beginning, every
// hour and at its end, dead letters now and then.
//
// A destination is up, down or held. A change is told at once, unless there was a line of that kind
// in the last ten seconds; then the state of that later moment is told, with the number of changes
// that were left out.
//
// Used by Destination, which gives it a turn. Thread: one, with its destination. Borrows: the log.
// Limits: one line of a kind in ten seconds, also when states alternate; details are cut.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

#include "sidecar/base/ledger.hpp"
#include "sidecar/base/line_limit.hpp"
#include "sidecar/base/log.hpp"
#include "sidecar/deliver/batch.hpp"
#include "sidecar/deliver/transport.hpp"

namespace outrider::sidecar {

class FailureLog {
 public:
  FailureLog(std::string destination, Log& log) : destination_(std::move(destination)), log_(log) {}

  /// A request failed and its events are tried again.
  void failed(const Completion& completion, const Now& now);
  /// The circuit breaker is open, and so many events wait.
  void opened(const Completion& completion, std::uint64_t queued, const Now& now);
  /// Credentials are refused; events are held until a person mends that.
  void held(const Completion& completion, std::uint64_t queued, const Now& now);
  /// The breaker is closed again.
  void recovered(Duration outage, const Now& now);
  /// The destination says that it is gone for ever.
  void gone(const Completion& completion, std::uint64_t queued);
  /// So many of the batch's events are dead letters.
  void buried(const Batch& batch, std::uint32_t events, DeadReason reason,
              const Completion& completion, const Now& now);
  /// Events are dead letters that were in no batch; told in the next turn.
  void count_buried(DeadReason reason, std::uint64_t events) { untold(reason).events += events; }
  /// Tells what was left out, once its time has come.
  void do_work(const Now& now);
  /// When that will be, or `never`.
  MonoTime next_deadline() const;
  /// The end: tells of all that no line has told of.
  void finish();

 private:
  enum class State : std::uint8_t { up, down, held };
  static constexpr std::size_t states = 3;

  struct Buried {
    std::uint64_t events = 0;  ///< untold
    // Of the newest batch among them; empty for events that were in none.
    int status = 0;
    std::uint32_t attempts = 0;
    std::string batch_id{};
    std::string_view detail_field = "detail";
    std::string detail{};
  };

  Buried& untold(DeadReason reason) { return buried_[static_cast<std::size_t>(reason)]; }
  void change(State state, const Completion& completion, std::uint64_t queued, const Now& now);
  bool has_untold_state() const;
  void tell_state(const Now& now);
  void write_state();
  void tell_buried(DeadReason reason, const Now& now);
  void write_buried(DeadReason reason);

  std::string destination_;
  Log& log_;
  State state_ = State::up;
  State told_ = State::up;     ///< by the last line
  std::uint64_t changes_ = 0;  ///< since the last line
  // Of the newest change.
  std::string status_;
  std::string_view detail_field_;
  std::string detail_;
  std::uint64_t queued_ = 0;
  Duration outage_{};
  std::array<LineLimit, states> state_limits_;  ///< by state
  MonoTime next_reminder_{};
  std::uint64_t failures_left_out_ = 0;
  LineLimit failed_limit_;
  std::array<Buried, dead_reasons.size()> buried_{};
  std::array<LineLimit, dead_reasons.size()> buried_limits_;  ///< by reason
};

}  // namespace outrider::sidecar
