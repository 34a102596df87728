// Lane: one destination's part of the spool, as the sidecar's thread sees it.
//
// Used by Backlog, which spills into it, takes blocks from it and tells what is settled, and by App
// for events that arrive with a date; Spool tells it what the disk says. Nothing here touches the
// disk: what is to be stored, read or removed is asked of the QuestionBuilder and done by the
// storage thread.
//
// Blocks come back in the order in which they were stored: while anything is on disk that is not in
// memory, what comes later is behind it. With `is_fresh_first`, what was confirmed just now
// overtakes what waits on disk.
//
// Where each event is and which comes next is LaneOrder's; the ledger's `spooled` and `scheduled`,
// and the bytes that count against the spool's limit, are copies of what it counts.
//
// Thread: the sidecar's one. Owns: blocks that have been read ahead. Borrows: the question's
// builder, and the destination's ledger, of which it keeps `spooled`, `scheduled`, `recovered` and
// the drops of what could not be stored or read. Limits: bytes_max on disk; LaneOrder's in memory.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "sidecar/base/ledger.hpp"
#include "sidecar/base/record.hpp"
#include "sidecar/spool/lane_order.hpp"
#include "sidecar/spool/put_back.hpp"
#include "sidecar/spool/question_builder.hpp"

namespace outrider::sidecar {

struct LaneSettings {
  std::uint64_t bytes_max = 0;
  Duration age_max{};
  bool is_fresh_first = false;
};

/// What is known of an event that is given up, besides the event.
struct Obituary {
  DeadReason reason{};
  int status = 0;
  std::uint32_t attempts = 0;
  WallTime first_attempt{};
  std::string answer;
};

class Lane {
 public:
  /// Of age_max: for 1 / tried_divisor of it each run tries what is too old.
  static constexpr int tried_divisor = 10;

  Lane(QuestionBuilder& question, LaneIndex index, const LaneSettings& settings,
       const StoredTotals& totals);

  /// From here on the lane keeps its part of the ledger; what is on disk already is `recovered`.
  /// Before anything else.
  void attach(Ledger& ledger);

  // Coming in -------------------------------------------------------------------------------------

  /// Stores a copy of the record, behind all that is there. False: no room, and nothing is done.
  bool append(const RecordView& record, const Now& now) { return schedule(record, 0, now); }
  /// The same, to come back when it is due; 0: at once.
  bool schedule(const RecordView& record, std::uint64_t due_ns, const Now& now);
  /// Events that their destination gives up: they are on disk for the next run, before everything
  /// else. Nothing is read any more.
  void put_back(PutBack events);
  /// The time to stop is over: what put_back() has not stored by now is counted as dropped.
  void give_up();

  // Going out -------------------------------------------------------------------------------------

  /// Something is on disk, or on its way there, and not in memory.
  bool has_unread() const { return order_.spooled() > 0; }
  /// The same, or confirmed and on its way to the disk: what comes now came later.
  bool has_older() const { return has_unread() || order_.at(Place::confirming).events > 0; }
  /// The next event has been read already.
  bool has_next() const { return order_.has_next(); }
  /// It, as a stored record; valid until take_next().
  proto::ByteView next() const { return order_.next(); }
  RecordOrigin next_origin() const { return order_.next_origin(); }
  /// Since when it stands on disk, over all runs, by the wall clock.
  std::uint64_t next_created_ns() const { return order_.next_created_ns(); }
  /// It is in memory now.
  void take_next();
  /// Whoever took the event forgets it, until it looks back. False: it is not on disk any more.
  bool pass_over(const RecordView& record);
  /// From now on no more is read than has its turn before what was passed over.
  void want_look_back() { order_.want_look_back(); }
  bool can_look_back() const { return order_.can_look_back(); }
  /// What was passed over comes again, with all that stands behind it.
  void look_back();
  /// Since when an event stands on disk, over all runs; one that does not: now.
  std::uint64_t created_ns(const RecordView& record, const Now& now) const;
  /// It has stood there for age_max by the wall clock, which counts stops and may be wrong; and its
  /// destination has failed it in this run for a part of that, by the clock that only runs.
  bool is_too_old(const RecordView& record, Duration tried_for, const Now& now) const;
  /// Events that were taken, are not settled, and stand on disk.
  std::uint64_t events_in_memory() const {
    return order_.at(Place::taken).events - order_.adrift();
  }
  /// Asks for more blocks, if there are and too few have been read.
  void read_ahead();

  // Done ------------------------------------------------------------------------------------------

  /// The event is delivered, dropped or dead: it need not be kept on disk.
  void settle(const RecordView& record) { settle(*record.origin, stored_record_bytes(record)); }
  /// The event is a dead letter, which is kept. Whoever holds the event settles it besides.
  void bury(const RecordView& record, const Obituary& obituary, const Now& now);

  /// Dead letters wait to be written: no more requests that might make new ones.
  bool is_busy() const { return question_.has_many_dead(); }
  bool has_room(std::uint64_t bytes) const { return order_.bytes() + bytes <= settings_.bytes_max; }
  /// On disk or on the way there.
  std::uint64_t bytes() const { return order_.bytes(); }
  std::uint64_t bytes_max() const { return settings_.bytes_max; }
  /// Events of frames that were stored in this run.
  Amount confirmed() const { return confirmed_; }

  // For Spool -------------------------------------------------------------------------------------

  /// An event of a frame that is not complete yet; or it will not be.
  void confirm(std::uint64_t bytes);
  void withdraw(std::uint64_t bytes);
  /// What the disk has made of this lane's part of a group; `reason`: why, if it was not stored.
  void take(LaneAnswer&& answer, DropReason reason);
  /// The store is another one; and what the lane knows of the disk is asked for anew.
  void distrust() { order_.distrust(); }
  void look_anew() { question_.read(order_.begin_anew(index_)); }
  /// Events that are settled only to stand elsewhere: what was put back and is not stored yet.
  std::uint64_t events_moving() const { return order_.put_back_saved(); }
  /// What was settled since this was last called.
  void take_settlements(std::vector<Settlement>& out) { order_.take_settlements(index_, out); }

 private:
  using Place = LaneOrder::Place;

  void settle(const RecordOrigin& origin, std::uint64_t bytes);
  void publish();

  QuestionBuilder& question_;
  LaneIndex index_;
  LaneSettings settings_;
  Ledger* ledger_ = nullptr;
  LaneOrder order_;
  Amount confirmed_;
  std::uint64_t counted_bytes_;  ///< of order_, that the question's builder knows of
};

}  // namespace outrider::sidecar
