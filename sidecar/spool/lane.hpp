// Lane: one destination's part of the spool, as the sidecar's thread sees it.
//
// Used by Backlog, which spills into it, takes blocks from it and tells what is settled, and by App
// for events that arrive with a date. Nothing here touches the disk: what is to be stored, read or
// removed is gathered in the Spool's group and done by the storage thread.
//
// Blocks come back in the order in which they were stored: while anything is on disk that is not in
// memory, what comes later is behind it. With `is_fresh_first`, what was confirmed just now
// overtakes what waits on disk.
//
// Thread: the sidecar's one. Owns: blocks that have been read ahead. Borrows: the spool, and the
// destination's ledger, of which it keeps `spooled`, `scheduled`, `recovered` and the drops of what
// could not be stored or read.
// Limits: bytes_max on disk; read_ahead_bytes_max in memory, and a block.
#pragma once

#include <cstdint>
#include <deque>
#include <set>
#include <string>
#include <unordered_map>
#include <vector>

#include "sidecar/base/ledger.hpp"
#include "sidecar/base/record.hpp"
#include "sidecar/spool/exchange.hpp"
#include "sidecar/spool/store.hpp"

namespace outrider::sidecar {

class Spool;

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
  static constexpr std::uint64_t read_ahead_bytes_max = 512U << 10U;

  Lane(Spool& spool, LaneIndex index, const LaneSettings& settings, const StoredTotals& totals);

  /// From here on the lane keeps its part of the ledger; what is on disk already is `recovered`.
  void attach(Ledger& ledger);

  // Coming in -------------------------------------------------------------------------------------

  /// Stores a copy of the record, behind all that is there. False: no room, and nothing is done.
  bool append(const RecordView& record, const Now& now);
  /// The same, to come back when it is due.
  bool schedule(const RecordView& record, std::uint64_t due_ns, const Now& now);
  /// Blocks of stored records that go before everything else, for the next run; nothing is read any
  /// more. `unsaved` of their events are nowhere else on disk.
  void put_back(std::vector<Block> blocks, std::uint64_t unsaved);
  /// The time to stop is over: what put_back() has not stored by now is counted as dropped.
  void give_up();

  // Going out -------------------------------------------------------------------------------------

  /// Something is on disk, or on its way there, and not in memory.
  bool has_unread() const { return ledger_->spooled > 0; }
  /// The same, or confirmed and on its way to the disk: what comes now came later.
  bool has_older() const { return has_unread() || confirming_ > 0; }
  /// The next event has been read already.
  bool has_next() const { return !arrived_.empty(); }
  /// It, as a stored record; valid until take_next().
  proto::ByteView next() const;
  RecordOrigin next_origin() const { return {arrived_.front().id, next_index_}; }
  /// When it becomes too old to be sent.
  WallTime next_expires_at() const;
  /// It is in memory now.
  void take_next();
  /// Events that were taken and are not settled.
  std::uint64_t events_in_memory() const { return in_memory_; }
  /// So many of these are on disk only, until the next run; nothing is read any more.
  void leave(std::uint64_t events);
  /// Asks for more blocks, if there are and too few have been read.
  void read_ahead();

  // Done ------------------------------------------------------------------------------------------

  /// The event is delivered, dropped or dead: it need not be kept on disk.
  void settle(const RecordView& record);
  /// The event is a dead letter, which is kept. Whoever holds the event settles it besides.
  void bury(const RecordView& record, const Obituary& obituary, const Now& now);

  /// Dead letters wait to be written: no more requests that might make new ones.
  bool is_busy() const;
  bool has_room(std::uint64_t bytes) const { return bytes_ + bytes <= settings_.bytes_max; }
  std::uint64_t bytes_max() const { return settings_.bytes_max; }

 private:
  friend class Spool;

  /// A block of which events are in memory.
  struct Open {
    std::uint32_t unsettled = 0;
    Bytes settled;
    // Since the last settlement that was asked for.
    std::uint32_t newly_settled = 0;
    std::uint64_t newly_settled_bytes = 0;
  };

  void skip_settled();

  // What became of what was asked for; called by Spool.
  void note_reserved(std::uint64_t bytes);
  void note_not_reserved(std::uint64_t bytes);
  void note_confirming(std::uint64_t bytes);
  void note_not_confirmed(std::uint64_t bytes);
  void note_confirmed(const Entry& entry);
  void note_not_stored(const Entry& entry, DropReason reason);
  void note_stored(Block block);
  void note_left(const Moved& moved) { readable_ += moved.events; }
  void note_front_stored(const Block& block);
  void note_released(const Moved& moved);
  void note_returned(const Moved& moved);
  void note_read(ReadAnswer& answer);
  void write_settlements(Question& question);

  Spool& spool_;
  LaneIndex index_;
  LaneSettings settings_;
  Ledger* ledger_ = nullptr;
  StoredTotals totals_;

  std::uint64_t bytes_ = 0;       ///< on disk or on the way there
  std::uint64_t readable_ = 0;    ///< events on disk that have not been read
  std::uint64_t confirming_ = 0;  ///< events of frames that are not on disk yet
  std::uint64_t in_memory_ = 0;
  std::uint64_t unsaved_ = 0;  ///< of what was put back
  BlockId read_up_to_ = INT64_MIN;
  std::set<BlockId> read_early_;  ///< beyond read_up_to_
  bool is_reading_ = false;
  bool is_closed_ = false;

  std::deque<Block> arrived_;     ///< each has an event that is neither settled nor taken
  std::uint32_t next_index_ = 0;  ///< in the first of them
  std::size_t next_offset_ = 0;
  std::size_t early_end_ = 0;  ///< behind the last of them that overtook
  std::uint64_t arrived_bytes_ = 0;
  std::unordered_map<BlockId, Open> open_;
  std::vector<BlockId> touched_;  ///< of open_: with new settlements
};

}  // namespace outrider::sidecar
