// StorageAgent: the storage thread's turn: carries out the work of a Question, and releases
// scheduled events when they are due. All disk I/O of the spool happens here.
//
// Used by StorageThread, which runs its turns on its own thread; tests and the simulation call it
// by hand. Reports to the sidecar's thread through the Exchange. StoreKeeper keeps the database,
// GroupWriter writes to it; the agent decides what is tried again, and how much of it.
//
// On errors: a group that cannot be written completely is written without the parts that need room
// (new and due events), so that settled events can leave the disk even when it is full (a reserve
// is kept for that); if that fails too, the group is returned undone. A database that is still
// damaged after it was opened again is replaced by everything that can be read of it, and the group
// is tried again there. A place that the system cannot read for several seconds counts as damaged.
// While another program has locked the database, the question waits in the exchange, where a stop
// takes it back, and later requests wait in memory as long as there is room. No exception leaves a
// turn.
//
// Thread: after open(), the one that calls do_work(). Owns: the keeper and the writer.
// Limits: a turn does one group. It looks at the size of what there is once a second at most, and
// only after it has worked.
#pragma once

#include <map>
#include <memory>
#include <optional>

#include "sidecar/base/agent.hpp"
#include "sidecar/base/log.hpp"
#include "sidecar/base/result.hpp"
#include "sidecar/spool/disk.hpp"
#include "sidecar/spool/exchange.hpp"
#include "sidecar/spool/group_writer.hpp"
#include "sidecar/spool/store_keeper.hpp"

namespace outrider::sidecar {

/// The system's, one after the other, for the same purpose.
struct ReadErrors {
  int count = 0;
  MonoTime first{};
  MonoTime last{};
};

class StorageAgent final : public Agent {
 public:
  static constexpr std::size_t uncollected_max = 4;

  /// Opens or makes the spool. A damaged one is set aside, with a line in the log.
  static Result<std::unique_ptr<StorageAgent>> open(StorageSettings settings,
                                                    std::unique_ptr<Disk> disk, Exchange& exchange,
                                                    Log& log, const Now& now);

  int do_work(const Now& now) override;
  MonoTime next_deadline() const override { return wake_at_; }

  const SpoolState& state() const { return keeper_.state(); }

 private:
  StorageAgent(StorageSettings settings, std::unique_ptr<Disk> disk, Exchange& exchange, Log& log)
      : keeper_(std::move(settings), std::move(disk), log), exchange_(exchange) {}

  std::optional<Reply> do_group(const Question& question, const Now& now);
  std::optional<StorageTrouble> attempt(const Question& question, const GroupScope& scope,
                                        Reply& answer, const Now& now);
  bool attempt_read(const ReadRequest& request, ReadAnswer& answer, const Now& now);
  bool look_again(const std::exception& error, ReadErrors& errors, int& looks, const Now& now);
  bool note_trouble(const std::exception& error, ReserveUse use, const Now& now);
  bool may_release(const Now& now) const;
  void measure(bool has_worked, const Now& now);
  void look_ahead(const Now& now);

  StoreKeeper keeper_;
  GroupWriter writer_{keeper_};
  Exchange& exchange_;
  MonoTime wake_at_ = never;
  bool is_waiting_ = false;  ///< the question is, for another program's lock
  MonoTime retry_at_{};      ///< after trouble
  SpoolSnapshot numbers_;
  bool are_numbers_old_ = false;  ///< since something was written
  MonoTime next_measure_{};
  ReadErrors group_read_errors_;
  std::map<DestinationHandle, ReadErrors> lane_read_errors_;
};

}  // namespace outrider::sidecar
