// FailureLog: what the log is told of one destination's failures: an outage at its beginning, every
// hour and at its end, dead letters now and then.
//
// Used by Destination. Thread: one, with its destination. Borrows: the log.
// Limits: one line of a kind in ten seconds; details are cut.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

#include "sidecar/base/ledger.hpp"
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
  void recovered(Duration outage);
  /// The destination says that it is gone for ever.
  void gone(const Completion& completion, std::uint64_t queued);
  /// So many of the batch's events are dead letters.
  void buried(const Batch& batch, std::uint32_t events, DeadReason reason,
              const Completion& completion, const Now& now);
  /// Events are dead letters that were in no batch; told with the next line of that reason.
  void count_buried(DeadReason reason, std::uint64_t events) { untold(reason).events += events; }
  /// The end: tells of the dead letters that no line has told of.
  void finish();

 private:
  enum class Told : std::uint8_t { nothing, open, held };

  struct Buried {
    std::uint64_t events = 0;  ///< untold
    MonoTime next_line{};
  };

  Buried& untold(DeadReason reason) { return buried_[static_cast<std::size_t>(reason)]; }
  void write(LogLevel level, std::string_view message, const Completion& completion,
             std::uint64_t queued);

  std::string destination_;
  Log& log_;
  Told told_ = Told::nothing;  ///< and not taken back
  MonoTime next_failed_{};
  MonoTime next_opened_{};
  MonoTime next_reminder_{};
  std::array<Buried, dead_reasons.size()> buried_{};
};

}  // namespace outrider::sidecar
