// The messages between the sidecar's thread and the storage thread.
//
// Used by Spool and its lanes (ask) and StorageAgent (answers). A Question is the work of one
// transaction: everything that a turn of the sidecar's thread has gathered. It goes to the storage
// thread and returns unchanged inside its Reply; only then is the next one sent. While one is
// written, the next one grows: that is the group commit. The storage thread also reports scheduled
// events that are due without being asked.
//
// No field has two writers: the sidecar's thread writes a Question, which the storage thread only
// reads; the storage thread writes a Reply.
//
// Thread: both belong to the thread that holds them; Exchange is safe from both threads.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "proto/confirm.hpp"
#include "proto/frame_reader.hpp"
#include "proto/refusal.hpp"
#include "sidecar/base/amount.hpp"
#include "sidecar/base/destination_handle.hpp"
#include "sidecar/base/ledger.hpp"
#include "sidecar/base/numbered_frame.hpp"
#include "sidecar/observe/snapshot.hpp"
#include "sidecar/spool/database.hpp"

namespace outrider::sidecar {

using BlockId = std::int64_t;
using Bytes = std::vector<std::uint8_t>;

/// Stored records of one destination that lie together on disk.
struct Block {
  BlockId id = 0;
  DestinationHandle lane = 0;
  std::uint32_t events = 0;
  std::uint64_t created_ns = 0;
  Bytes records;
  Bytes settled;  ///< a bit an event; empty: none is
};

/// One event to be stored: where in Question::bytes its record lies and whose it is.
struct Entry {
  DestinationHandle lane;
  std::uint32_t record_bytes;
  std::size_t offset;
  std::uint64_t due_ns;  ///< not before, since the Unix epoch; 0: now
};

/// The amounts that a taken frame adds to the counters.
struct FrameCounts {
  struct Sampled {
    DestinationHandle lane;
    std::uint64_t events;
  };
  std::uint64_t events = 0;      ///< taken
  std::uint64_t unrouted = 0;    ///< of these, for no destination
  std::vector<Sampled> sampled;  ///< of these, left out by the sampling of a destination
};

/// The last run of a recurring event, stored together with the event.
struct ScheduleMark {
  std::string name;
  std::uint64_t last_ns = 0;  ///< 0: there is none; the stored one is removed
};

/// A frame to be confirmed; or the run of a schedule, which has no client.
struct ConfirmedFrame : NumberedFrame {
  FrameCounts counts{};
  std::size_t first_entry = 0;  ///< in Question::confirmed
  std::size_t entries = 0;
  std::optional<ScheduleMark> mark{};
};

/// The outcome of a ConfirmedFrame.
struct FrameAnswer {
  proto::Refusal status = proto::Refusal::none;
  bool is_new = false;  ///< its entries were stored, now
  /// The frame's; of one that comes again, those of its first time.
  std::vector<proto::RefusedEvent> refused;
};

/// Events of a block that are settled and need not be kept.
struct Settlement {
  BlockId block;
  DestinationHandle lane;
  std::uint32_t events;  ///< since the last settlement of this block
  std::uint64_t bytes;
  bool is_whole;  ///< with these, all of it
  Bytes settled;  ///< all that are, a bit an event; empty if is_whole
};

struct DeadLetter {
  DestinationHandle lane = 0;
  DeadReason reason{};
  int status = 0;
  std::uint32_t attempts = 0;
  std::uint64_t first_ns = 0;  ///< the first attempt
  std::uint64_t last_ns = 0;
  std::string answer;  ///< its head, without secrets
  Bytes record;        ///< stored
};

/// The content of a destination on disk.
struct StoredTotals {
  std::uint64_t events = 0;
  std::uint64_t bytes = 0;
  std::uint64_t scheduled_events = 0;
  std::uint64_t scheduled_bytes = 0;
};

/// A destination that begins, in this run, to have a lane.
struct LaneOpening {
  DestinationHandle lane = 0;
  std::string name;
};

struct ReadRequest {
  DestinationHandle lane = 0;
  BlockId after = 0;
  std::uint64_t bytes_max = 0;
  bool is_doubted = false;  ///< earlier reads may be wrong: read everything again
  /// The store was replaced: the blocks that the lane holds must be there, and it asks for its
  /// totals instead of blocks.
  bool is_anew = false;
  std::vector<Block> held = {};  ///< with its records, if the lane still has them
};

struct ReadAnswer {
  std::vector<Block> blocks;
  std::optional<StoredTotals> totals;  ///< of a request that is anew
  std::vector<BlockId> gone;           ///< of its blocks
  Amount damaged;                      ///< of blocks that could not be read and were set aside
  bool is_end = false;                 ///< there are no more
  bool has_failed = false;
};

/// The disk's result for a lane's part of one group. Taken as a whole: only together do its parts
/// show which blocks are still unread.
struct LaneAnswer {
  // As the storage thread says:
  std::vector<Block> stored;       ///< for delivery at once
  Amount left;                     ///< stored, and on disk only
  Amount released;                 ///< scheduled events that are among these two
  Amount unreleased;               ///< scheduled events that could not be read
  Amount returned;                 ///< dead letters that a person put back; on disk only
  std::optional<ReadAnswer> read;  ///< the result of the question's ReadRequest
  // The consequences for the parts of the question; Spool adds them:
  Amount confirmed;            ///< of frames: stored
  Amount confirmed_scheduled;  ///< the same, for later
  Amount unconfirmed;          ///< of frames: refused, or stored before
  Amount unstored;             ///< spilled, and not stored
  Amount unscheduled;          ///< the same, for later
  Amount front;                ///< stored of the events that were put back
  Amount scheduling;           ///< with a read that is anew: for later, and asked for since
};
using LaneAnswers = std::map<DestinationHandle, LaneAnswer>;

struct Question {
  // New events:
  Bytes bytes;
  std::vector<Entry> spilled;
  std::vector<Entry> confirmed;
  std::vector<ConfirmedFrame> frames;
  /// Blocks to go before everything else of their lane, in this order.
  std::vector<Block> front;
  // Outcomes of old ones:
  std::vector<Settlement> settlements;
  std::vector<DeadLetter> dead;
  std::vector<ReadRequest> reads;  ///< one a lane
  bool wants_look = false;         ///< somebody else has changed the database
  // Destinations that come and go. Nothing else here names those that are opened.
  std::vector<LaneOpening> openings;        ///< all of them, or none: they count as new events
  std::vector<DestinationHandle> closings;  ///< nothing else of this run names them any more

  bool has_intake() const {
    return !spilled.empty() || !frames.empty() || !front.empty() || !openings.empty();
  }
  bool is_empty() const {
    return !has_intake() && settlements.empty() && dead.empty() && reads.empty() && !wants_look &&
           closings.empty();
  }
};

struct Reply {
  /// As it was asked; null: the storage thread speaks by itself.
  std::unique_ptr<Question> question;
  /// Why none of the new events was taken.
  std::optional<StorageTrouble> intake_trouble;
  /// Nothing was done at all: settlements and dead letters are to be asked for again.
  bool has_failed = false;
  /// The database was replaced since the last answer: earlier knowledge of it must be confirmed.
  bool is_store_new = false;
  std::vector<FrameAnswer> frames;   ///< one for each of the question's, or none: intake_trouble
  LaneAnswers lanes;                 ///< of those that something happened to
  std::vector<StoredTotals> opened;  ///< one for each of the openings, or none: intake_trouble
  std::uint64_t dead_trimmed = 0;    ///< the oldest dead letters, beyond the limits
};

class Exchange {
 public:
  /// Ends the sleep of either side; called without the lock held. Set before threads run.
  std::function<void()> wake_storage = [] {};
  std::function<void()> wake_sidecar = [] {};

  // The sidecar's thread.
  void ask(std::unique_ptr<Question> question);
  std::vector<std::unique_ptr<Reply>> collect();

  /// The question, if nobody has taken it; the sidecar's thread can take it back this way.
  std::unique_ptr<Question> take();

  /// The size of the spool when the storage thread looked last, and the time that its transactions
  /// took since the start. Empty: it has not looked yet.
  std::optional<SpoolSnapshot> numbers() const;

  // The storage thread.
  /// It could not be begun, and waits here.
  void put_back(std::unique_ptr<Question> question);
  /// How often that was. Safe from both threads.
  std::uint64_t put_backs() const;
  void answer(std::unique_ptr<Reply> answer);
  /// Answers that are not collected yet.
  std::size_t uncollected() const;
  /// All of it but transaction_time is new.
  void note_numbers(const SpoolSnapshot& numbers);
  /// A transaction took so long, with all that belongs to it.
  void note_transaction(Duration time);

 private:
  mutable std::mutex mutex_;
  std::unique_ptr<Question> asked_;
  std::uint64_t put_backs_ = 0;
  std::optional<SpoolSnapshot> numbers_;
  DurationHistogram transaction_time_;
  std::vector<std::unique_ptr<Reply>> answers_;
};

}  // namespace outrider::sidecar
