#include "sidecar/app/snapshot_taker.hpp"

#include <algorithm>
#include <utility>

#include "sidecar/base/uuid.hpp"
#include "sidecar/observe/time_to_loss.hpp"

namespace outrider::sidecar {

SnapshotTaker::SnapshotTaker(const Config& config, Sources sources,
                             const DestinationRegistry& destinations, Fill fill, std::uint64_t seed)
    : sources_(std::move(sources)),
      destinations_(destinations),
      fill_(std::move(fill)),
      seed_(seed),
      free_bytes_min_(config.spool.free_bytes_min) {
  config_.file = config.source.file;
  config_.hash = config.source.hash;
}

void SnapshotTaker::note_config(const Config& config, const Now& now) {
  config_.file = config.source.file;
  config_.hash = config.source.hash;
  config_.loaded_at = now.wall;
}

void SnapshotTaker::note_reload(bool is_good, std::uint64_t generation) {
  config_.is_last_reload_good = is_good;
  config_.generation = generation;
}

bool SnapshotTaker::do_work(const Now& now) {
  if (sources_.board == nullptr) return false;
  if (boot_id_.empty()) note_start(now);
  if (!next_) {
    if (!sources_.board->is_asked()) return false;
    begin();
  }
  take_some(now);
  if (taken_ < names_.size()) return true;
  complete(now);
  return false;
}

void SnapshotTaker::finish(const Now& now) {
  if (sources_.board == nullptr) return;
  if (boot_id_.empty()) note_start(now);
  begin();
  while (taken_ < names_.size()) take_some(now);
  complete(now);
}

void SnapshotTaker::note_start(const Now& now) {
  boot_id_.resize(uuid_text_bytes);
  write_uuid_text(UuidGenerator(seed_).next(now.wall_ns()), boot_id_.data());
  started_at_ = now.wall;
  config_.loaded_at = now.wall;
}

void SnapshotTaker::begin() {
  sources_.board->begin();
  next_ = std::make_shared<Snapshot>();
  names_.clear();
  taken_ = 0;
  for (const Destination* destination : destinations_.known())
    names_.push_back(destination->name());
  next_->destinations.reserve(names_.size());
}

void SnapshotTaker::take_some(const Now& now) {
  const std::size_t to = std::min(taken_ + destinations_per_turn_max, names_.size());
  for (; taken_ < to; ++taken_) {
    Destination* const destination = destinations_.find_known(names_[taken_]);
    if (destination != nullptr) next_->destinations.push_back(destination->snapshot(now));
  }
}

void SnapshotTaker::complete(const Now& now) {
  Snapshot& snapshot = *next_;
  snapshot.number = ++last_number_;
  snapshot.taken_at = now.mono;
  snapshot.taken_at_wall = now.wall;
  snapshot.boot_id = boot_id_;
  snapshot.started_at = started_at_;
  snapshot.version = OUTRIDER_VERSION;
  snapshot.config = config_;
  if (sources_.log_lines_dropped) snapshot.log_lines_dropped = sources_.log_lines_dropped();
  if (sources_.loop != nullptr) snapshot.loop = sources_.loop->snapshot(now.mono);
  fill_(snapshot);
  if (sources_.connections) sources_.connections(snapshot.ingest);
  if (snapshot.spool) fill_time_to_loss(snapshot);
  sources_.board->publish(std::exchange(next_, nullptr));
}

/// All destinations together fill the shared limits; those that grow lose events.
void SnapshotTaker::fill_time_to_loss(Snapshot& snapshot) const {
  const SpoolSnapshot& spool = *snapshot.spool;
  double growth_per_s = 0;
  std::uint64_t lane_bytes = 0;
  for (const DestinationSnapshot& it : snapshot.destinations) {
    growth_per_s += it.lane_growth_bytes_per_s;
    lane_bytes += it.lane_bytes;
  }
  const std::uint64_t other_bytes = spool.free_page_bytes + spool.dead_bytes;
  const std::uint64_t used_bytes =
      std::max(lane_bytes, spool.database_bytes - std::min(spool.database_bytes, other_bytes));
  const double disk_left =
      left_of(spool.disk_free_bytes, free_bytes_min_) + static_cast<double>(spool.free_page_bytes);
  for (DestinationSnapshot& it : snapshot.destinations) {
    if (it.lane_growth_bytes_per_s <= 0) continue;
    shorten(it.time_to_loss,
            {LossLimit::spool_bytes, left_of(spool.bytes_max, used_bytes), growth_per_s});
    shorten(it.time_to_loss, {LossLimit::disk_free, disk_left, growth_per_s});
  }
}

}  // namespace outrider::sidecar
