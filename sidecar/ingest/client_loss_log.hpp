// ClientLossLog: says while it goes on that clients lose events before the sidecar has them: what
// they say they dropped, and frames that they numbered and that never came.
//
// Used by IngestAgent. Thread: one, with its agent. Borrows: the log. Limits: a line in ten
// seconds, the first at once, each with what came to it since the line before.
#pragma once

#include <cstdint>

#include "sidecar/base/clock.hpp"
#include "sidecar/base/line_limit.hpp"
#include "sidecar/base/log.hpp"
#include "sidecar/ingest/client_table.hpp"

namespace outrider::sidecar {

class ClientLossLog {
 public:
  static constexpr Duration interval = std::chrono::seconds(10);

  explicit ClientLossLog(Log& log) : log_(log) {}

  /// Looks whether there is anything new, and says it when it may.
  void look(const ClientTable& clients, const Now& now);
  /// When what was found is to be said.
  MonoTime next_deadline() const { return is_waiting_ ? limit_.next_line() : never; }

 private:
  Log& log_;
  std::uint64_t said_news_ = 0;
  ClientDrops said_drops_;
  std::uint64_t said_frames_ = 0;
  bool is_waiting_ = false;
  LineLimit limit_{interval};
};

}  // namespace outrider::sidecar
