// FanoutLog: tells the log what ZeroMQ loses without a word: events that nobody subscribes to, and
// what was on its way to a peer that has gone.
//
// Used by ZmqTransport. Thread: the sidecar's one. Borrows: the log. Limits: one line that peers
// have gone in line_interval; one that events begin to go to nobody in line_interval, and one every
// reminder_interval while that goes on.
#pragma once

#include <cstdint>
#include <string>

#include "sidecar/base/clock.hpp"
#include "sidecar/base/line_limit.hpp"
#include "sidecar/base/log.hpp"

namespace outrider::sidecar {

class FanoutLog {
 public:
  static constexpr Duration line_interval = std::chrono::minutes(1);
  static constexpr Duration reminder_interval = std::chrono::minutes(10);
  /// So long after somebody has got an event, others that nobody wants are no news: a subscriber
  /// need not want all.
  static constexpr Duration quiet_after_heard = std::chrono::seconds(10);

  FanoutLog(std::string destination, bool is_pub, Log& log);

  /// So many connections have ended, with at most so many events in ZeroMQ.
  void gone(std::uint64_t peers, std::uint64_t events_max, const Now& now);
  /// Events that somebody, and that nobody, has subscribed to.
  void sent(std::uint64_t heard, std::uint64_t unheard, const Now& now);

  /// Writes what is due.
  void look(const Now& now);
  MonoTime next_deadline() const;
  /// The end: writes what has not been said.
  void finish();

 private:
  void write_gone();
  void write_unheard(LogLevel level, std::string_view message);

  const std::string destination_;
  const bool is_pub_;
  Log& log_;

  std::uint64_t peers_gone_ = 0;  ///< of which no line has told
  std::uint64_t events_gone_max_ = 0;
  LineLimit gone_limit_{line_interval};

  bool is_unheard_ = false;
  std::uint64_t unheard_ = 0;  ///< since somebody got an event
  MonoTime quiet_until_{};
  MonoTime next_unheard_line_{};
};

}  // namespace outrider::sidecar
