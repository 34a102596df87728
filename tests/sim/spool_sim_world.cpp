// How the world is: the configuration, which a person changes between two runs.
#include "sidecar/app/storage_settings.hpp"
#include "sidecar/encode/encoder.hpp"
#include "sim/spool_simulation.hpp"

namespace outrider::sidecar {

SpoolSimulation::SpoolSimulation(std::uint64_t seed) : random_(seed), twin_(random_.next()) {
  style_.have_ids = random_.chance(0.5);
  has_disasters_ = random_.chance(0.4);
  style_.emitted_may_expire = random_.chance(0.3);
  if (random_.chance(0.3)) log_bytes_ = 50'000 + random_.below(500'000);
  history_.note_time(clock_.now());
  config_ = make_config();
  begin_plan();
  for (int i = 0; i < 2; ++i) {
    clients_.push_back(std::make_unique<test::ModelClient>(history_, random_.next()));
  }
  at_fault_point = [this] {
    if (fault_points_left_ == 0 || --fault_points_left_ > 0) return;
    twin_.crash(crash_kind());
    throw ProcessCrash{};
  };
  survive([this] { start_life(); });
}

SpoolSimulation::~SpoolSimulation() {
  at_fault_point = nullptr;
  foreigner_.reset();
  end_life();
}

Config SpoolSimulation::make_config() {
  Config config;
  config.shutdown_linger = std::chrono::milliseconds(random_.below(5000));
  config.ingest.event_bytes_max = 2000;
  config.spool.path = spool_path;
  config.spool.sync = random_.chance(0.8) ? SpoolSync::full : SpoolSync::normal;
  config.spool.free_bytes_min = random_.chance(0.3) ? 100'000 : 0;
  if (random_.chance(0.2)) config.spool.bytes_max = 50'000 + random_.below(300'000);
  config.spool.dead_events_max = 1'000'000;
  config.spool.dead_age_max = std::chrono::hours(100'000);
  for (std::uint64_t left = 1 + random_.below(4); left > 0; --left) {
    config.destinations.push_back(make_destination());
  }
  for (std::uint64_t left = random_.below(3); left > 0; --left) {
    config.schedules.push_back(test::random_schedule(random_, left));
  }
  return config;
}

DestinationConfig SpoolSimulation::make_destination() {
  DestinationConfig destination = test::random_destination(random_, ever_.size() + 1);
  destination.sample_rate = style_.have_ids && random_.chance(0.3) ? 0.5 : 1;
  if (random_.chance(0.9)) destination.rate_max = {};
  const std::uint64_t when_full = random_.below(4);
  if (when_full >= 2) destination.when_full = WhenFull::spool;
  if (random_.chance(0.2)) destination.spool_order = SpoolOrder::fresh_first;
  if (random_.chance(0.3)) destination.spool_bytes_max = 10'000 + random_.below(100'000);
  destination.spool_age_max = random_.chance(0.2)
                                  ? Duration(std::chrono::seconds(10 + random_.below(100)))
                                  : Duration(std::chrono::hours(10'000));
  ever_[destination.name] = destination;
  return destination;
}

void SpoolSimulation::edit_config() {
  auto& there = config_.destinations;
  const auto at = there.begin() + static_cast<std::ptrdiff_t>(random_.below(there.size()));
  std::vector<DestinationConfig> gone;
  for (const auto& [name, destination] : ever_) {
    if (!plans_.back().contains(name)) gone.push_back(destination);
  }
  const std::uint64_t dice = random_.below(4);
  if (dice == 0 && there.size() > 1) {
    there.erase(at);
  } else if (dice == 1 && !gone.empty()) {
    there.insert(at, gone[random_.below(gone.size())]);
  } else if (dice == 2) {
    at->name = "d" + std::to_string(ever_.size() + 1);
    ever_[at->name] = *at;
  } else if (ever_.size() < 6) {
    there.insert(at, make_destination());
  }
  if (random_.chance(0.3) && !config_.schedules.empty()) {
    if (random_.chance(0.5)) config_.schedules.pop_back();
  } else if (random_.chance(0.3) && config_.schedules.size() < 3) {
    config_.schedules.push_back(test::random_schedule(random_, 10 + plans_.size()));
  }
  // Under its old name it begins anew. Not by a clock that is behind, which would show times again
  // that it has run at; nor as it was once before, for that may not be forgotten yet.
  if (random_.chance(0.6) && !config_.schedules.empty() &&
      now().wall_ns() >= history_.highest_time()) {
    // Of this time nothing is missed.
    advance(std::chrono::minutes(random_.below(120)));
    ScheduleConfig changed = config_.schedules.front();
    test::change_expression(changed, random_);
    if (!schedule_began_.contains(Recurrence::mark_of(changed)))
      config_.schedules.front() = changed;
  }
  begin_plan();
}

void SpoolSimulation::begin_plan() {
  std::set<std::string> names;
  for (const DestinationConfig& destination : config_.destinations) {
    const std::string& name = destination.name;
    names.insert(name);
    if (receivers_.contains(name)) continue;
    auto made = std::make_unique<Receiver>(destination, random_.next());
    const bool is_kept = destination.spool_order == SpoolOrder::oldest_first;
    made->place_of = [this, is_kept](std::uint64_t number) -> Receiver::Place {
      if (!is_kept || number == 0) return {};
      const SentEvent& event = history_.event(number);
      if (event.due_ns != 0 || event.is_put_back) return {};
      return {0, event.order > unordered_up_to_ ? event.order : 0};
    };
    made->on_receive = [this](std::uint64_t number, const std::string&) {
      if (number != 0) history_.check_not_early(number);
    };
    receivers_[name] = std::move(made);
    probes_[name] =
        std::make_unique<Destination>(destination, make_encoder({.format = "ndjson"}),
                                      std::make_unique<test::FakeTransport>(), nullptr, log_, 1);
  }
  const auto began_ns = std::chrono::nanoseconds(history_.highest_time());
  plan_began_.push_back(Instant(std::chrono::ceil<std::chrono::seconds>(began_ns)));
  for (const ScheduleConfig& schedule : config_.schedules) {
    const auto mark = Recurrence::mark_of(schedule);
    if (!schedule_began_.try_emplace(mark, plan_began_.back()).second) continue;
    schedules_.begin(schedule, plan_began_.back());
  }
  history_.plan = plans_.size();
  plans_.push_back(std::move(names));
}

StorageSettings SpoolSimulation::settings() const {
  StorageSettings settings = storage_settings(config_);
  settings.log_bytes = log_bytes_;
  return settings;
}

StorageCrash SpoolSimulation::crash_kind() {
  const bool may_lose_power = config_.spool.sync == SpoolSync::full && random_.chance(0.5);
  return may_lose_power ? StorageCrash::power : StorageCrash::process;
}

bool SpoolSimulation::is_for(const std::string& name, const SentEvent& event) const {
  for (std::size_t plan = event.first_plan; plan <= event.last_plan; ++plan) {
    if (!plans_[plan].contains(name)) return false;
  }
  return wants(name, event.topic) && !is_sampled_out(name, event.id);
}

bool SpoolSimulation::wants(const std::string& name, std::string_view topic) const {
  const DestinationConfig& destination = ever_.at(name);
  const bool is_wanted = destination.topics.front() == ">" || topic.starts_with("orders.");
  return is_wanted && (destination.exclude.empty() || topic != "orders.paid");
}

bool SpoolSimulation::is_sampled_out(const std::string& name, std::string_view id) const {
  RecordView record;
  record.id = proto::as_bytes(id);
  return ever_.at(name).sample_rate < 1 && probes_.at(name)->is_sampled_out(record);
}

void SpoolSimulation::advance(Duration by) {
  clock_.advance(by);
  history_.note_time(now());
}

void SpoolSimulation::jump_wall(Duration by) {
  schedules_.note(now());
  clock_.jump_wall(by);
  schedules_.set_clock(now());
  history_.note_time(now());
  if (life_) life_->has_wall_jumped = true;
}

}  // namespace outrider::sidecar
