// FailureLog: what the log is told of one destination's failures: an outage once, dead letters now
// and then, refused credentials always.
//
// Used by Destination. Thread: one, with its destination. Borrows: the log.
// Limits: one line of a kind in ten seconds, but for what a person must act on; details are cut.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

#include "sidecar/base/log.hpp"
#include "sidecar/deliver/batch.hpp"
#include "sidecar/deliver/transport.hpp"

namespace outrider::sidecar {

class FailureLog {
 public:
  FailureLog(std::string destination, Log& log) : destination_(std::move(destination)), log_(log) {}

  /// A request failed and its events are tried again.
  void failed(const Completion& completion, const Now& now);
  /// The circuit breaker is open.
  void opened(const Completion& completion, const Now& now);
  /// Credentials are refused; events are held until a person mends that.
  void held(const Completion& completion);
  /// The breaker is closed again.
  void recovered(Duration outage);
  /// The destination says that it is gone for ever.
  void gone(const Completion& completion);
  /// The batch's events are dead letters.
  void buried(const Batch& batch, std::uint32_t events, std::string_view reason,
              const Completion& completion, const Now& now);

 private:
  enum class Told : std::uint8_t { nothing, open, held };

  void write(LogLevel level, std::string_view message, const Completion& completion);

  std::string destination_;
  Log& log_;
  Told told_ = Told::nothing;  ///< and not taken back
  MonoTime next_failed_{};
  MonoTime next_opened_{};
  MonoTime next_buried_{};
  std::uint64_t buried_untold_ = 0;
};

}  // namespace outrider::sidecar
