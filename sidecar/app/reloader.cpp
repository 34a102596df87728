#include "sidecar/app/reloader.hpp"

#include <algorithm>
#include <system_error>
#include <utility>

namespace outrider::sidecar {
namespace {

const DestinationConfig& section_of(const Config& config, const std::string& name) {
  return *std::ranges::find(config.destinations, name, &DestinationConfig::name);
}

/// A destination keeps them for as long as it has events.
bool is_of_same_kind(const DestinationConfig& one, const DestinationConfig& other) {
  Config before;
  Config after;
  before.destinations = {one};
  after.destinations = {other};
  return plan_reload(before, after).refusals().empty();
}

}  // namespace

Reloader::Reloader(Config config, ReloadBoard* board, ReloadPreparer* preparer, World world,
                   Log& log, std::uint64_t seed)
    : config_(std::move(config)),
      board_(board),
      preparer_(preparer),
      world_(std::move(world)),
      log_(log),
      seeds_(seed) {}

int Reloader::do_work(const Now& now) {
  turn_ = now;
  if (!leaving_.empty()) park_those_that_left(now);
  if (board_ == nullptr || is_stopped_) return 0;
  if (!is_running_) {
    if (!board_->is_asked()) return 0;
    begin(now);
    return 1;
  }
  if (is_making_) {
    make_some(now);
    return 1;
  }
  if (prepared_) {
    if (waits_in_vain(now)) {
      world_.spool->forget_opening();
      fail(ReloadResult::failed, {"the disk of the spool does not answer"});
    }
    return 0;
  }
  if (auto prepared = preparer_->take()) {
    take_prepared(std::move(*prepared));
    return 1;
  }
  if (waits_in_vain(now)) {
    fail(ReloadResult::failed, {"the files of the configuration cannot be read: their file system "
                                "does not answer"});
  }
  return 0;
}

void Reloader::begin(const Now& now) {
  is_running_ = true;
  who_ = board_->begin();
  world_.on_begin();
  if (preparer_->begin(config_)) {
    waiting_until_ = now.mono + reading_max;
  } else {
    fail(ReloadResult::failed, {"an earlier reload waits for files that cannot be read, or there "
                                "can be no more threads"});
  }
}

void Reloader::stop() {
  if (std::exchange(is_stopped_, true) || board_ == nullptr) return;
  const std::vector<std::string> lines = {"the sidecar stops"};
  if (is_running_) {
    if (world_.spool != nullptr) world_.spool->forget_opening();
    fail(ReloadResult::failed, lines);
  }
  board_->close({ReloadResult::failed, lines, generation_});
}

// Making parts ------------------------------------------------------------------------------------

void Reloader::take_prepared(PreparedReload prepared) {
  waiting_until_ = never;
  if (!prepared.errors.empty()) return fail(ReloadResult::refused, std::move(prepared.errors));
  prepared_ = std::move(prepared);
  const ReloadPlan& plan = prepared_->plan;
  if (world_.destinations.parked() + leaving_.size() + plan.removed.size() > parked_max) {
    return fail(ReloadResult::failed,
                {"too many destinations have been removed; restart the sidecar"});
  }
  for (const std::string& name : plan.added) to_make_.push_back({name, true});
  for (const DestinationChange& change : plan.changed) {
    to_make_.push_back({change.name, change.has_other_encoder});
  }
  is_making_ = true;
}

void Reloader::make_some(const Now& now) {
  for (std::size_t i = 0; i < made_per_turn_max && !to_make_.empty(); ++i) {
    const auto [name, has_other_encoder] = std::move(to_make_.back());
    to_make_.pop_back();
    make_change(section_of(prepared_->config, name), has_other_encoder);
  }
  if (!to_make_.empty()) return;
  is_making_ = false;
  if (!errors_.empty()) return fail(ReloadResult::failed, std::move(errors_));
  const bool has_new_lanes =
      world_.spool != nullptr && std::ranges::any_of(changes_, &Change::is_new);
  if (has_new_lanes) return open_lanes();
  commit(now);
}

void Reloader::make_change(const DestinationConfig& config, bool has_other_encoder) {
  Change change;
  const auto handle = world_.destinations.handle_of(config.name);
  const Leaving* const removed = find_leaving(config.name);
  if (removed != nullptr && !is_of_same_kind(removed->config, config)) {
    errors_.push_back("destination " + config.name +
                      ": the removed destination of this name, which is of another kind, still has "
                      "events; try again when it has left");
    return;
  }
  if (removed != nullptr) {
    // It stays from here on; if the reload fails it leaves again.
    change.returns = world_.destinations.find(*handle)->stay();
    if (!change.returns) {
      errors_.push_back("destination " + config.name +
                        ": the removed destination of this name puts away its last events; try "
                        "again in a moment");
      return;
    }
  }
  MakeTransport make;
  // A socket that leaves has the settings that it is to have.
  const bool keeps_socket = change.returns && config.type == DestinationType::zmq;
  if (const auto found = prepared_->transports.find(config.name);
      found != prepared_->transports.end() && !keeps_socket) {
    make = [&finish = found->second](const DestinationConfig&, const BodyKind& body) {
      return finish(body);
    };
  }
  try {
    auto parts = make_parts(config, make);
    if (parts.ok()) {
      change.parts = std::move(parts.value());
    } else {
      errors_.push_back(parts.error().message);
    }
  } catch (const std::system_error& error) {
    errors_.push_back("destination " + config.name + ": there can be no thread: " + error.what());
  }
  change.parts.config.name = config.name;
  change.is_new = !handle.has_value();
  change.has_other_encoder = has_other_encoder;
  change.handle = handle ? *handle : world_.destinations.reserve();
  changes_.push_back(std::move(change));
}

void Reloader::open_lanes() {
  if (world_.spool->is_opening()) {
    return fail(ReloadResult::failed, {"an earlier reload still waits for the disk of the spool"});
  }
  waiting_until_ = turn_.mono + opening_max;
  std::vector<Spool::NewLane> lanes;
  for (const Change& change : changes_) {
    if (!change.is_new) continue;
    const DestinationConfig& config = change.parts.config;
    lanes.push_back({change.handle, config.name, lane_settings(config)});
  }
  world_.spool->open_lanes(std::move(lanes), [this](const Status& status, const Now& now) {
    if (!status.ok()) return fail(ReloadResult::failed, {status.error().message});
    commit(now);
  });
}

// The commit --------------------------------------------------------------------------------------

void Reloader::commit(const Now& now) {
  PreparedReload prepared = std::move(*prepared_);
  for (Change& change : changes_) carry_out(change, now);
  remove_destinations(prepared.plan.removed, now);
  std::vector<std::string> names;
  for (const DestinationConfig& one : prepared.config.destinations) names.push_back(one.name);
  world_.destinations.order_by(names);
  world_.dispatcher.use(prepared.config);
  if (ScheduleRunner* const schedules = world_.schedules()) {
    schedules->replace(std::move(prepared.recurrence));
  }
  for (Destination* const destination : world_.destinations.all()) destination->probe(now);
  for (const std::string& warning : prepared.warnings) log_.warn(warning);
  world_.on_commit(config_, prepared.config, now);
  config_ = std::move(prepared.config);
  ++generation_;
  end({ReloadResult::applied, describe(prepared.plan), generation_});
}

void Reloader::carry_out(Change& change, const Now& now) {
  auto& [config, encoder, transport] = change.parts;
  Destination* const destination = world_.destinations.find(change.handle);
  if (destination != nullptr) {
    if (change.returns) {
      std::erase_if(leaving_, [&](const Leaving& one) { return one.config.name == config.name; });
    }
    std::shared_ptr<Encoder> other;
    if (change.has_other_encoder) other = std::move(encoder);
    destination->change(config, std::move(other), std::move(transport), now);
    return;
  }
  Lane* const lane = world_.spool != nullptr ? &world_.spool->lane(change.handle) : nullptr;
  const auto earlier = world_.destinations.take_parked(config.name);
  world_.destinations.put(
      change.handle, std::make_unique<Destination>(config, std::move(encoder), std::move(transport),
                                                   lane, log_, seeds_.next(), earlier.get()));
}

void Reloader::remove_destinations(const std::vector<std::string>& names, const Now& now) {
  for (const std::string& name : names) {
    const DestinationConfig& config = section_of(config_, name);
    leaving_.push_back({config, now.mono + config.on_remove_max});
    begin_removal(leaving_.back(), now);
  }
}

void Reloader::begin_removal(const Leaving& leaving, const Now& now) {
  world_.destinations.find(leaving.config.name)
      ->begin_removal(leaving.config.on_remove, leaving.until, now);
}

/// Its last events are where they stay, and its lane can be closed.
void Reloader::park_those_that_left(const Now& now) {
  std::erase_if(leaving_, [&](const Leaving& leaving) {
    const std::string& name = leaving.config.name;
    const DestinationHandle handle = *world_.destinations.handle_of(name);
    Destination& destination = *world_.destinations.find(handle);
    if (!destination.may_be_parked()) return false;
    destination.park(now);
    if (world_.spool != nullptr) world_.spool->close_lane(handle);
    world_.destinations.park(handle);
    const Ledger& ledger = destination.ledger();
    log_.info("a removed destination has left",
              {{"destination", name},
               {"delivered", std::to_string(ledger.delivered)},
               {"dropped", std::to_string(ledger.dropped_for(DropReason::removed))},
               {"on_disk", std::to_string(ledger.spooled + ledger.scheduled)}});
    return true;
  });
}

const Reloader::Leaving* Reloader::find_leaving(const std::string& name) const {
  const auto found = std::ranges::find_if(
      leaving_, [&](const Leaving& leaving) { return leaving.config.name == name; });
  return found == leaving_.end() ? nullptr : &*found;
}

// The end -----------------------------------------------------------------------------------------

void Reloader::fail(ReloadResult result, std::vector<std::string> lines) {
  end({result, std::move(lines), generation_});
}

void Reloader::end(ReloadOutcome outcome) {
  const bool is_good = outcome.result == ReloadResult::applied;
  for (const Change& change : changes_) {
    if (!is_good && change.returns) begin_removal(*find_leaving(change.parts.config.name), turn_);
  }
  is_running_ = false;
  waiting_until_ = never;
  is_making_ = false;
  prepared_.reset();
  to_make_.clear();
  changes_.clear();
  errors_.clear();
  std::size_t left = lines_max;
  for (const std::string& line : outcome.lines) {
    if (left-- == 0) break;
    if (is_good) {
      log_.info("reload", {{"change", line}});
    } else {
      log_.error("reload refused; the configuration in use stays", {{"because", line}});
    }
  }
  if (is_good) {
    log_.info("the configuration was reloaded",
              {{"generation", std::to_string(generation_)}, {"by", who_}});
  }
  world_.on_end(outcome);
  board_->finish(std::move(outcome));
}

}  // namespace outrider::sidecar
