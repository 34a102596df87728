// LaneOrder: where each event of a lane is, and which is next.
//
// Used by Lane. A plain value: it knows no disk, clock or ledger; its caller reports what happens
// and gets the consequences. Owns: blocks that have been read ahead. Errors: none; an assertion
// stops a caller that names events which are not where it claims. Events on disk are the exception:
// damage can remove or reveal some, and take() returns how many. Limits: read_ahead_bytes_max in
// memory, and a block; early_max blocks that overtook.
//
// 1. Every event is in exactly one place, and its bytes with it:
//
//     confirming ──> storing ──> unread ──> arrived ──> taken ──> settled: forgotten
//                       ^ └────────────────────^          └─────> unread, for the next run
//        scheduled ─────┘                returning ──> unread, for the next run
//
//    A taken event may also be passed over: it is then only on disk again, and is unread after the
//    next look back, which happens when all other events that were on disk have had their turn.
//
// 2. On disk the blocks are in the order of sending. Those up to `read_up_to_`, and those in
//    `read_early_`, have been in memory; all others are unread. So a block that was just stored may
//    be next at once if nothing is unread, or if fresh events overtake.
// 3. Each block in `arrived_` has an event that is neither settled nor taken.
// 4. If the events on disk differ from the known ones, everything is read again from the beginning,
//    with the storage thread's state rebuilt; events that are then missing are lost.
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
    returning,   ///< the same, but before all others
    unread,      ///< on disk only
    arrived,     ///< in memory again, next() comes to it
    taken,       ///< its destination holds it
    passed,      ///< its destination held it, and will look back for it
  };

  /// Other findings of take(): events on disk that were unknown, or that are missing.
  struct Surprise {
    std::uint64_t found = 0;
    std::uint64_t missing = 0;

    Surprise& operator+=(const Surprise& more) {
      found += more.found;
      missing += more.missing;
      return *this;
    }
  };

  LaneOrder(const StoredTotals& totals, bool is_fresh_first);

  Amount at(Place place) const { return places_[static_cast<std::size_t>(place)]; }
  /// On disk or on the way there, and not in memory.
  std::uint64_t spooled() const;
  /// On disk or on the way there.
  std::uint64_t bytes() const;

  /// Nothing is on its way to the disk or from there, and nobody holds any of its events.
  bool is_at_rest() const;

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
  /// Of the events put back and not stored: those that are on disk in their old place.
  std::uint64_t put_back_saved() const;
  /// Events that were put back and are not stored will never be. Returns how many of them are lost.
  std::uint64_t give_up();

  /// The disk's answer.
  Surprise take(LaneAnswer&& answer);

  // From disk -------------------------------------------------------------------------------------

  /// The next read; nothing if it was already requested, or there is nothing to read, or no room.
  std::optional<ReadRequest> begin_read(DestinationHandle lane);
  /// The store was replaced: nothing is known of the disk until begin_anew() is answered, in place
  /// of any other read. From then on all is known, by ids: held events are there again or known to
  /// be only in memory, and all others there are unread.
  void distrust() { is_distrusted_ = true; }
  ReadRequest begin_anew(DestinationHandle lane);
  /// A taken event is also on disk.
  bool is_on_disk(const RecordOrigin& origin) const;
  /// How many are not.
  std::uint64_t adrift() const { return adrift_.events; }
  bool has_next() const { return !arrived_.empty(); }
  /// The next event as a stored record; valid until take_next().
  proto::ByteView next() const;
  RecordOrigin next_origin() const { return {arrived_.front().id, next_index_}; }
  std::uint64_t next_created_ns() const { return arrived_.front().created_ns; }
  void take_next();

  /// The destination forgets a taken event. False, and it does not, if the event is no longer on
  /// disk.
  bool pass_over(const RecordOrigin& origin, std::uint64_t bytes);
  /// A caller waits for events that were passed over: the reads of this round are the last before
  /// the look back.
  void want_look_back() { wants_look_back_ = true; }
  /// All that was read has been taken.
  bool can_look_back() const { return is_turning() && arrived_.empty() && !is_reading_; }
  /// Events that were passed over are unread again.
  void look_back();

  /// When the block of an event that was taken, and is not settled, was stored.
  std::uint64_t created_ns(const RecordOrigin& origin) const;

  // Done ------------------------------------------------------------------------------------------

  /// An event that was taken need not be kept. True for the first since take_settlements().
  bool settle(const RecordOrigin& origin, std::uint64_t bytes);
  /// Adds the events settled since the last call.
  void take_settlements(DestinationHandle lane, std::vector<Settlement>& out);

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
  /// The events that one put_back() has put back and that are not stored.
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
  /// Events that were on disk besides the first one passed over, and have not been taken yet.
  std::uint64_t left_of_round_ = 0;

  std::deque<Block> arrived_;
  std::uint32_t next_index_ = 0;  ///< in the first of them
  std::size_t next_offset_ = 0;
  std::size_t early_end_ = 0;         ///< after the last of them that overtook
  std::uint64_t arrived_memory_ = 0;  ///< bytes of all of them
  std::unordered_map<BlockId, Open> open_;
  std::vector<BlockId> touched_;  ///< of open_: with new settlements
};

}  // namespace outrider::sidecar
