// LaneOrder: where each event of a lane is, and which comes next.
//
// Used by Lane. A plain value: it knows no disk, clock or ledger, is told what happens, and tells
// what follows. Owns: blocks that have been read ahead. Errors: none; a caller that names events
// which are not where it says is stopped by an assertion, but for those on disk: damage removes
// and uncovers some, and take() says how many.
// Limits: read_ahead_bytes_max in memory, and a block; early_max blocks that overtook.
//
// 1. Every event is in exactly one place, and its bytes with it:
//
//     confirming ──> storing ──> unread ──> arrived ──> taken ──> settled: forgotten
//                       ^ └────────────────────^          └─────> unread, for the next run
//        scheduled ─────┘                returning ──> unread, for the next run
//
//    What was taken may also be passed over: it is on disk only again, and is unread after the next
//    look back, which comes when all that stood on disk beside it has had its turn.
//
// 2. On disk the blocks are in the order of sending. Those up to `read_up_to_`, and those in
//    `read_early_`, have been in memory; all others are unread. So a block that was stored just now
//    may come at once if nothing is unread, or if what is fresh overtakes.
// 3. Each block in `arrived_` has an event that is neither settled nor taken.
// 4. When there are other events on disk than were known, everything is read once more from the
//    beginning, with what the storage thread keeps made anew; what is missing then is gone.
// 5. A block is open from its first event that is taken until the last of its events is settled.
#pragma once

#include <array>
#include <cstdint>
#include <deque>
#include <optional>
#include <set>
#include <unordered_map>
#include <vector>

#include "sidecar/base/record.hpp"
#include "sidecar/spool/exchange.hpp"
#include "sidecar/spool/store.hpp"

namespace outrider::sidecar {

class LaneOrder {
 public:
  static constexpr std::uint64_t read_ahead_bytes_max = 512U << 10U;
  static constexpr std::size_t early_max = 4096;

  enum class Place : std::uint8_t {
    confirming,  ///< of frames that are not on disk yet
    scheduled,   ///< on disk until due, or on its way there
    storing,     ///< on its way to disk
    returning,   ///< the same, to stand before all others
    unread,      ///< on disk only
    arrived,     ///< in memory again, next() comes to it
    taken,       ///< its destination holds it
    passed,      ///< its destination held it, and will look back for it
  };

  /// What take() finds besides: events on disk that nobody knew, or that are not there.
  struct Surprise {
    std::uint64_t found = 0;
    std::uint64_t missing = 0;
  };

  LaneOrder(const StoredTotals& totals, bool is_fresh_first);

  Amount at(Place place) const { return places_[static_cast<std::size_t>(place)]; }
  /// On disk or on the way there, and not in memory.
  std::uint64_t spooled() const;
  /// On disk or on the way there.
  std::uint64_t bytes() const;

  // To disk ---------------------------------------------------------------------------------------

  /// To `confirming`, `scheduled` or `storing`.
  void add(Place place, std::uint64_t bytes) { at_mutable(place) += {1, bytes}; }
  /// Events of a frame that is not handed over after all.
  void withdraw(std::uint64_t bytes) { remove(Place::confirming, {1, bytes}); }
  /// They go before everything else, for the next run; nothing is read any more. `unsaved` of them
  /// are nowhere else on disk.
  void put_back(const Amount& events, std::uint64_t unsaved);
  /// Events that are taken stay on disk where they are, for the next run.
  void leave(const Amount& events);
  /// Of what was put back and is not stored: events that stand on disk where they stood.
  std::uint64_t put_back_saved() const;
  /// What was put back and is not stored never will be. Returns how many of it are lost.
  std::uint64_t give_up();

  /// The disk's answer.
  Surprise take(LaneAnswer&& answer);

  // From disk -------------------------------------------------------------------------------------

  /// What to read next; nothing if that has been asked for, or there is nothing, or no room.
  std::optional<ReadRequest> begin_read(LaneIndex lane);
  /// The store is another one: nothing is known of the disk until begin_anew() was answered, in the
  /// place of any other read. From then on all is known, by ids: what is held is there again or
  /// known to be in memory only, and all else that is there is unread.
  void distrust() { is_distrusted_ = true; }
  ReadRequest begin_anew(LaneIndex lane);
  /// An event that was taken stands on disk, too.
  bool is_on_disk(const RecordOrigin& origin) const;
  /// How many do not.
  std::uint64_t adrift() const { return adrift_.events; }
  bool has_next() const { return !arrived_.empty(); }
  /// The next event as a stored record; valid until take_next().
  proto::ByteView next() const;
  RecordOrigin next_origin() const { return {arrived_.front().id, next_index_}; }
  std::uint64_t next_created_ns() const { return arrived_.front().created_ns; }
  void take_next();

  /// The destination forgets an event that was taken. False, and it does not, if the event stands
  /// on disk no more.
  bool pass_over(const RecordOrigin& origin, std::uint64_t bytes);
  /// Somebody waits for what was passed over: what is read when its round is over is the last.
  void want_look_back() { wants_look_back_ = true; }
  /// All that was read has been taken.
  bool can_look_back() const { return is_turning() && arrived_.empty() && !is_reading_; }
  /// What was passed over is unread again.
  void look_back();

  /// When the block of an event that was taken, and is not settled, was stored.
  std::uint64_t created_ns(const RecordOrigin& origin) const;

  // Done ------------------------------------------------------------------------------------------

  /// An event that was taken need not be kept. True for the first since take_settlements().
  bool settle(const RecordOrigin& origin, std::uint64_t bytes);
  /// Adds what was settled since this was last called.
  void take_settlements(LaneIndex lane, std::vector<Settlement>& out);

 private:
  /// A block of which events are taken.
  struct Open {
    std::uint64_t created_ns = 0;
    Amount unsettled;
    Bytes settled;
    Amount newly_settled;      ///< since the last settlement that was asked for
    bool has_settled = false;  ///< some of it, in this run
    bool is_gone = false;      ///< from disk
    Amount passed_amount;
    Bytes passed;  ///< a bit an event; empty: none
  };
  /// What one put_back() has put back and is not stored.
  struct Returning {
    std::uint64_t events;
    std::uint64_t unsaved;
  };

  Amount& at_mutable(Place place) { return places_[static_cast<std::size_t>(place)]; }
  void remove(Place from, const Amount& amount);
  void move(Place from, Place to, const Amount& amount);
  void take_stored(Block block);
  void take_front(const Amount& stored);
  Surprise take_read(ReadAnswer answer);
  void read_from_the_beginning();
  Surprise take_anew(const ReadAnswer& answer, const Amount& scheduling);
  void skip_settled();
  bool is_turning() const;
  static void unmask_passed(Block& block, Open& open);

  bool is_fresh_first_;
  std::array<Amount, 8> places_{};
  std::deque<Returning> put_back_;
  BlockId read_up_to_ = INT64_MIN;
  std::set<BlockId> read_early_;  ///< beyond read_up_to_
  bool is_reading_ = false;
  bool is_in_doubt_ = false;
  bool is_closed_ = false;
  bool is_distrusted_ = false;
  Amount adrift_;  ///< taken, of blocks that are gone
  bool wants_look_back_ = false;
  /// Events that stood on disk beside the first that was passed over, and have not been taken yet.
  std::uint64_t left_of_round_ = 0;

  std::deque<Block> arrived_;
  std::uint32_t next_index_ = 0;  ///< in the first of them
  std::size_t next_offset_ = 0;
  std::size_t early_end_ = 0;         ///< behind the last of them that overtook
  std::uint64_t arrived_memory_ = 0;  ///< bytes of all of them
  std::unordered_map<BlockId, Open> open_;
  std::vector<BlockId> touched_;  ///< of open_: with new settlements
};

}  // namespace outrider::sidecar
