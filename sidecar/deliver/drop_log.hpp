// DropLog: tells the log that a destination drops events: when that begins, every ten seconds while
// it goes on, and when it has ended, by reason and with numbers.
//
// Used by Destination, which shows it the ledger once a turn; an event costs nothing here. What
// `sample` does not keep was asked for, and is no loss.
// Thread: one, with its destination. Borrows: the log. Limits: one line in ten seconds, and one
// more where an end and a new beginning meet.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <utility>

#include "sidecar/base/clock.hpp"
#include "sidecar/base/ledger.hpp"
#include "sidecar/base/log.hpp"

namespace outrider::sidecar {

class DropLog {
 public:
  DropLog(std::string destination, Log& log) : destination_(std::move(destination)), log_(log) {}

  /// These drops have been told of.
  void know(const Ledger& ledger);
  /// Writes the line that is due, if there is one.
  void look(const Ledger& ledger, const Now& now);
  /// When a line may be due though nothing else happens, or `never`.
  MonoTime next_deadline() const { return is_dropping_ ? next_line_ : never; }
  /// The end: tells of what no line has told of.
  void finish(const Ledger& ledger);

 private:
  using Counts = std::array<std::uint64_t, drop_reasons.size()>;

  void write(std::string_view message, const Ledger& ledger, const Counts& since);

  std::string destination_;
  Log& log_;
  bool is_dropping_ = false;
  std::uint64_t told_total_ = 0;
  Counts told_{};    ///< as of the last line
  Counts before_{};  ///< as of the last end
  MonoTime next_line_{};
};

}  // namespace outrider::sidecar
