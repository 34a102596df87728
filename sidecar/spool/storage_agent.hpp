// StorageAgent: does what the groups ask for, one transaction a group, and releases scheduled
// events when they are due. All disk I/O of the spool happens here.
//
// Used by StorageThread, which turns it on a thread of its own; tests and the simulation turn it by
// hand. Reports to the sidecar's thread through the Exchange.
//
// When something goes wrong: a group whose new events cannot be written is done without them, so
// that what is settled can leave the disk even when it is full (a reserve is kept for that); if
// that fails too, the group comes back undone. A damaged database is set aside, what can be read of
// it is copied into a new one, and the group is tried again there.
//
// Thread: after open(), the one that calls do_work(). Owns: the store and the disk.
// Limits: a turn does one group and releases due_events_max events at most.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "sidecar/base/agent.hpp"
#include "sidecar/base/log.hpp"
#include "sidecar/base/result.hpp"
#include "sidecar/spool/disk.hpp"
#include "sidecar/spool/exchange.hpp"
#include "sidecar/spool/store.hpp"

namespace outrider::sidecar {

struct StorageSettings {
  std::string path;
  bool is_synced = true;             ///< sync = full
  std::uint64_t free_bytes_min = 0;  ///< new events are refused when less than this is free
  DeadLimits dead;
  std::uint64_t log_bytes = 0;     ///< the write-ahead log has this length from the start
  std::vector<std::string> lanes;  ///< names of the destinations, in their order
};

/// What the sidecar's thread has to know of the spool when it starts.
struct SpoolState {
  std::vector<StoredTotals> lanes;
  std::vector<ScheduleMark> marks;
};

class StorageAgent final : public Agent {
 public:
  static constexpr std::uint64_t due_events_max = 4096;
  static constexpr std::uint64_t due_bytes_max = 1U << 20U;
  static constexpr std::uint64_t reserve_bytes = 4U << 20U;
  static constexpr std::size_t uncollected_max = 4;
  static constexpr int wal_pages_max = 4096;
  /// What that is in bytes, with what one group adds.
  static constexpr std::uint64_t log_bytes = 20U << 20U;

  /// Opens or makes the spool. A damaged one is set aside, with a line in the log.
  static Result<std::unique_ptr<StorageAgent>> open(StorageSettings settings,
                                                    std::unique_ptr<Disk> disk, Exchange& exchange,
                                                    Log& log, const Now& now);

  int do_work(const Now& now) override;
  MonoTime next_deadline() const override { return wake_at_; }

  const SpoolState& state() const { return state_; }

 private:
  /// Events of one lane that become blocks.
  struct Builder {
    Block block;
    bool is_wanted = false;  ///< its records go back with the answer
  };

  StorageAgent(StorageSettings settings, std::unique_ptr<Disk> disk, Exchange& exchange, Log& log)
      : settings_(std::move(settings)), disk_(std::move(disk)), exchange_(exchange), log_(log) {}

  // Opening and mending.
  Status open_store(const Now& now);
  void read_state();
  Status replace_store(const std::string& reason, const Now& now);

  // Groups.
  void do_group(Group& group, const Now& now);
  bool try_group(Group& group, bool with_intake, const Now& now);
  void take_intake(Group& group, const Now& now);
  void add(Group& group, const Entry& entry, bool is_wanted, const Now& now);
  void add_record(Group& group, LaneIndex lane, proto::ByteView record, bool is_wanted,
                  const Now& now);
  void finish_block(Group& group, LaneIndex lane, Builder& builder, const Now& now);
  void finish_blocks(Group& group, const Now& now);
  void take_front(Group& group, const Now& now);
  void bury(Group& group, const Now& now);
  void do_read(const ReadRequest& request, Group& group, const Now& now);
  void note_returned(Group& group);
  void release_due(Group& group, const Now& now);
  std::optional<LaneIndex> lane_of(DestinationId destination) const;

  // Trouble.
  void note_trouble(const SqliteError& error, const Now& now);
  void note_recovery();
  void make_log_safe();
  void prepare_log();
  bool has_room(const Now& now);
  void forget_answer(Group& group);

  // Between groups.
  bool has_due(const Now& now) const;
  void look_ahead(const Now& now);
  void keep_house(const Now& now);

  StorageSettings settings_;
  std::unique_ptr<Disk> disk_;
  Exchange& exchange_;
  Log& log_;
  std::unique_ptr<Store> store_;
  std::vector<DestinationId> destinations_;  ///< by lane
  SpoolState state_;
  std::map<LaneIndex, Builder> builders_;

  std::uint64_t next_due_ns_ = 0;  ///< by the wall clock; UINT64_MAX: nothing is scheduled
  MonoTime wake_at_ = never;
  MonoTime retry_at_{};  ///< after trouble
  MonoTime next_house_keeping_{};
  MonoTime next_trouble_line_{};
  MonoTime next_room_look_{};
  std::uint64_t written_since_look_ = 0;
  bool has_room_ = true;
  bool has_reserve_ = false;
  bool is_in_trouble_ = false;
  bool is_damage_told_ = false;  ///< and it is not replaced yet
  /// What was written to it unsynced may never become safe; also by the process before this one.
  bool is_log_in_doubt_ = true;
};

}  // namespace outrider::sidecar
