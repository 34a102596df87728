// ScheduleRunner: makes the events of recurring schedules, and has each stored with its date.
//
// Used by App, with a spool only. Recurrence says which runs are due; each is stored in one
// transaction with the mark that it has run, so that no crash runs it twice or never. A run without
// room is tried again until there is room, and later runs wait for it.
//
// Thread: the sidecar's one. Owns: the recurrence, and the marks that are not yet written. Borrows:
// the spool and the dispatcher, which outlive it.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "sidecar/base/log.hpp"
#include "sidecar/route/dispatcher.hpp"
#include "sidecar/schedule/recurrence.hpp"
#include "sidecar/spool/spool.hpp"

namespace outrider::sidecar {

struct ScheduleSnapshot;

class ScheduleRunner {
 public:
  /// `marks`: the last runs that the spool knows of.
  ScheduleRunner(Recurrence recurrence, const std::vector<ScheduleMark>& marks, Spool& spool,
                 Dispatcher& dispatcher, Log& log);

  /// Other schedules from here on. One with the same name, expression and zone goes on; the mark of
  /// one that is gone is removed; one that is new begins now.
  void replace(Recurrence recurrence);

  void do_work(const Now& now);
  MonoTime next_deadline() const { return recurrence_.next_deadline(); }

  /// The fate of a run, or of a mark alone, is decided.
  void note_answer(const ConfirmedFrame& frame, const FrameAnswer& answer, const Now& now);

  /// In the order of the configuration.
  std::vector<ScheduleSnapshot> snapshot() const;

 private:
  /// Of one schedule, since the start.
  struct Stored {
    std::uint64_t runs = 0;
    std::uint64_t late = 0;
    std::uint64_t last_ns = 0;
  };

  void write_marks(const Now& now);
  void run_due(const Now& now);
  proto::Refusal add_run(const Recurrence::Run& run, const Now& now);
  void keep_run(std::string_view mark, std::uint64_t due_ns, proto::Refusal refusal);
  void warn_of_wrong_clock(const Now& now);

  Spool& spool_;
  Dispatcher& dispatcher_;
  Log& log_;
  Recurrence recurrence_;
  std::vector<std::string> new_schedules_;  ///< the marks of those that have never run
  std::vector<ScheduleMark> unwritten_marks_;
  // By name: what was counted goes on, whatever a reload changes.
  std::map<std::string, Stored, std::less<>> stored_;
  std::map<std::string, std::uint64_t, std::less<>> missed_before_;
  MonoTime marks_due_at_{};
  MonoTime look_ahead_at_{};
};

}  // namespace outrider::sidecar
