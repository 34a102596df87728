// Lane: one destination's part of the spool, as the sidecar's thread sees it.
//
// Used by Backlog, which spills into it, takes blocks from it and reports settled events, and by
// App for events that arrive with a date; Spool passes on the answers of the disk. Nothing here
// touches the disk: the lane adds its requests to store, read and remove to the QuestionBuilder,
// and the storage thread executes them.
//
// Blocks return in the order in which they were stored: while any event is on disk and not in
// memory, later ones follow it. With `is_fresh_first`, events that were just confirmed overtake
// those that wait on disk.
//
// LaneOrder knows where each event is and which is next; the ledger's `spooled` and `scheduled`,
// and the bytes that count against the spool's limit, are copies of its counts.
//
// Thread: the sidecar's one. Owns: blocks that have been read ahead. Borrows: the question's
// builder, and the destination's ledger, in which it counts `spooled`, `scheduled`, `recovered` and
// the drops of events that could not be stored or read. Limits: bytes_max on disk; LaneOrder's in
// memory.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
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

/// The known facts about an event that is given up, besides the event.
struct Obituary {
  DeadReason reason{};
  int status = 0;
  std::uint32_t attempts = 0;
  WallTime first_attempt{};
  std::string answer;
};

class Lane {
 public:
  /// Each run tries events that are too old for 1 / tried_divisor of age_max.
  static constexpr int tried_divisor = 10;

  Lane(QuestionBuilder& question, DestinationHandle index, const LaneSettings& settings,
       const StoredTotals& totals);

  /// From here on the lane keeps its part of the ledger; events already on disk are `recovered`,
  /// except those that the ledger knows of an earlier lane. Called before anything else.
  void attach(Ledger& ledger);
  /// The end: its events stay on disk, and in the ledger as it is now.
  void detach() { question_.count_bytes(std::exchange(counted_bytes_, 0), 0); }
  /// Other limits, from here on; `is_fresh_first` stays.
  void use(const LaneSettings& settings) { settings_ = settings; }
  /// Nothing of it moves, and nobody holds any of its events: it may end.
  bool is_at_rest() const { return order_.is_at_rest(); }

  // Coming in -------------------------------------------------------------------------------------

  /// Stores a copy of the record, after all others. False: no room, and nothing is done.
  bool append(const RecordView& record, const Now& now) { return schedule(record, 0, now); }
  /// The same, to come back when it is due; 0: at once.
  bool schedule(const RecordView& record, std::uint64_t due_ns, const Now& now);
  /// Events that their destination gives up: they are on disk for the next run, before everything
  /// else. Nothing is read any more.
  void put_back(PutBack events);
  /// The time to stop is over: events that put_back() has not stored by now are counted as dropped.
  void give_up();

  // Going out -------------------------------------------------------------------------------------

  /// Something is on disk, or on its way there, and not in memory.
  bool has_unread() const { return order_.spooled() > 0; }
  /// The same, or confirmed and on its way to the disk: such events are older than new ones.
  bool has_older() const { return has_unread() || order_.at(Place::confirming).events > 0; }
  /// The next event has been read already.
  bool has_next() const { return order_.has_next(); }
  /// It, as a stored record; valid until take_next().
  proto::ByteView next() const { return order_.next(); }
  RecordOrigin next_origin() const { return order_.next_origin(); }
  /// Since when it is on disk, over all runs, by the wall clock.
  std::uint64_t next_created_ns() const { return order_.next_created_ns(); }
  /// It is in memory now.
  void take_next();
  /// Whoever took the event forgets it, until it looks back. False: it is not on disk any more.
  bool pass_over(const RecordView& record);
  /// From now on no more is read than is due before the events that were passed over.
  void want_look_back() { order_.want_look_back(); }
  bool can_look_back() const { return order_.can_look_back(); }
  /// Events that were passed over return, with all that follow them.
  void look_back();
  /// The time at which an event was stored on disk, over all runs; for one that is not there: now.
  std::uint64_t created_ns(const RecordView& record, const Now& now) const;
  /// It has been there for age_max by the wall clock, which includes stops and may be wrong; and in
  /// this run its destination has failed it for a part of that, by the monotonic clock.
  bool is_too_old(const RecordView& record, Duration tried_for, const Now& now) const;
  /// Events that were taken, are not settled, and are on disk.
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
  /// The disk's result for this lane's part of a group; `reason`: why, if it was not stored.
  void take(LaneAnswer&& answer, DropReason reason);
  /// The store was replaced: the lane asks again for everything that it knows of the disk.
  void distrust() { order_.distrust(); }
  void look_anew() { question_.read(order_.begin_anew(index_)); }
  /// Events that are settled only to be stored elsewhere: those put back and not stored yet.
  std::uint64_t events_moving() const { return order_.put_back_saved(); }
  /// The events settled since the last call.
  void take_settlements(std::vector<Settlement>& out) { order_.take_settlements(index_, out); }

 private:
  using Place = LaneOrder::Place;

  void settle(const RecordOrigin& origin, std::uint64_t bytes);
  void publish();

  QuestionBuilder& question_;
  DestinationHandle index_;
  LaneSettings settings_;
  Ledger* ledger_ = nullptr;
  LaneOrder order_;
  Amount confirmed_;
  std::uint64_t counted_bytes_;  ///< of order_, that the question's builder knows of
};

}  // namespace outrider::sidecar
