// SnapshotTaker: fills a Snapshot from the parts of an App, some destinations a turn.
//
// Used by App, which gives it the end of each turn. Nothing happens while nobody asks. A snapshot
// is begun when somebody has asked and published when it is complete; each destination is copied
// whole within one turn, and so are the counters of ingest, spool and schedules, at the end.
//
// Thread: the sidecar's one. Owns: the snapshot that is being filled. Borrows: the board and the
// parts, which outlive it. Limits: destinations_per_turn_max destinations a turn, which take 100 us
// at most.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "sidecar/config/config.hpp"
#include "sidecar/deliver/destination_registry.hpp"
#include "sidecar/observe/loop_meter.hpp"
#include "sidecar/observe/snapshot.hpp"
#include "sidecar/observe/snapshot_board.hpp"

namespace outrider::sidecar {

class SnapshotTaker {
 public:
  static constexpr std::size_t destinations_per_turn_max = 64;

  /// Values that other parts know, each read when a snapshot is completed; empty: not known.
  struct Sources {
    SnapshotBoard* board = nullptr;
    const LoopMeter* loop = nullptr;
    std::function<void(IngestSnapshot&)> connections;
    std::function<std::uint64_t()> log_lines_dropped;
  };
  /// Fills in what App knows of ingest, schedules, phase, and spool without what follows from the
  /// destinations.
  using Fill = std::function<void(Snapshot&)>;

  SnapshotTaker(const Config& config, Sources sources, const DestinationRegistry& destinations,
                Fill fill, std::uint64_t seed);

  /// Another configuration is in use; or one could not be used.
  void note_config(const Config& config, const Now& now);
  void note_reload(bool is_good, std::uint64_t generation);

  /// Goes on with a snapshot, or begins one. True: it is to be gone on with.
  bool do_work(const Now& now);
  /// All at once: the last one, when everything has ended.
  void finish(const Now& now);

 private:
  void note_start(const Now& now);
  void begin();
  void take_some(const Now& now);
  void complete(const Now& now);
  void fill_time_to_loss(Snapshot& snapshot) const;

  Sources sources_;
  const DestinationRegistry& destinations_;
  Fill fill_;
  std::uint64_t seed_;
  std::uint64_t free_bytes_min_;
  ConfigSnapshot config_;
  std::string boot_id_;  ///< empty before the first turn
  WallTime started_at_{};
  std::uint64_t last_number_ = 0;
  std::shared_ptr<Snapshot> next_;  ///< that is being filled, or null
  std::vector<std::string> names_;  ///< of the destinations that it is to have
  std::size_t taken_ = 0;           ///< of these
};

}  // namespace outrider::sidecar
