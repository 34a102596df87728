// GroupWriter: carries out one Question in one transaction, and releases scheduled events.
//
// Used by StorageAgent, which decides what is tried and how failures are handled. Thread: the
// storage thread's. Owns: blocks that are being built, inside of write() only. Borrows: the keeper,
// whose store is open. Fails with: the exceptions of write() and read(); then nothing was done,
// once the keeper has rolled back. Limits: releases due_events_max events, or due_bytes_max, a
// transaction.
//
// Invariants:
//   - A transaction does all of its scope or nothing, and its Reply says what is committed.
//   - Events of a lane become blocks in the order of their bytes in the Question, followed by the
//     released ones. A block is sent back (`stored`) or left on disk (`left`), never both.
#pragma once

#include <cstdint>
#include <map>
#include <vector>

#include "sidecar/spool/exchange.hpp"
#include "sidecar/spool/store_keeper.hpp"

namespace outrider::sidecar {

/// How much of a Question is done; settled and dead events always are.
struct GroupScope {
  bool takes_in = false;    ///< its new events
  bool releases = false;    ///< and scheduled events that are due
  bool sends_back = false;  ///< blocks go back with the answer, for delivery at once
};

class GroupWriter {
 public:
  static constexpr std::uint64_t due_events_max = 4096;
  static constexpr std::uint64_t due_bytes_max = 1U << 20U;

  explicit GroupWriter(StoreKeeper& keeper) : keeper_(keeper) {}

  /// Without the reads.
  Reply write(const Question& question, const GroupScope& scope, const Now& now);
  /// Blocks that cannot be read are set aside, with a line in the log.
  ReadAnswer read(const ReadRequest& request, const Now& now);

  /// When scheduled events are due, by the wall clock; no later than they are.
  std::uint64_t next_due_ns() const { return next_due_ns_; }
  bool has_due(const Now& now) const { return next_due_ns_ <= now.wall_ns(); }
  /// Earlier knowledge of the database may be wrong.
  void look_anew() { next_due_ns_ = 0; }

 private:
  /// Events of one lane that become blocks.
  struct Builder {
    Block block;
    bool is_wanted = false;  ///< its records go back with the answer
  };

  void take_intake(const Question& question, Reply& answer, const Now& now);
  void add(const Question& question, Reply& answer, const Entry& entry, bool is_wanted,
           const Now& now);
  void add_record(Reply& answer, DestinationHandle lane, proto::ByteView record, bool is_wanted,
                  const Now& now);
  void finish_block(Reply& answer, DestinationHandle lane, Builder& builder, const Now& now);
  void insert_scheduled(const Question& question);
  void take_front(const Question& question, const Now& now);
  void release_due(Reply& answer, const Now& now);
  void note_returned(Reply& answer);
  std::vector<DestinationId> open_lanes(const Question& question, const GroupScope& scope,
                                        Reply& answer);

  StoreKeeper& keeper_;
  std::map<DestinationHandle, Builder> builders_;
  std::vector<const Entry*> scheduled_;  ///< of the question, in the order in which they came
  bool sends_back_ = false;
  std::uint64_t next_due_ns_ = 0;
};

}  // namespace outrider::sidecar
