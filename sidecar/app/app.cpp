#include "sidecar/app/app.hpp"

#include <algorithm>
#include <utility>

#include "sidecar/app/encode_settings.hpp"
#include "sidecar/base/random.hpp"
#include "sidecar/base/units.hpp"
#include "sidecar/encode/encoder.hpp"

namespace outrider::sidecar {
namespace {

/// Draining ends when no frame has come for this long, ...
constexpr Duration drain_quiet = std::chrono::milliseconds(50);
/// ... or after this time, for clients that never pause.
constexpr Duration drain_max = std::chrono::seconds(1);

std::vector<Route> routes_of(const Config& config) {
  std::vector<Route> routes;
  for (const DestinationConfig& destination : config.destinations) {
    routes.push_back({destination.topics, destination.exclude});
  }
  return routes;
}

SpoolSettings spool_settings(const Config& config) {
  SpoolSettings settings;
  settings.bytes_max = config.spool.bytes_max;
  settings.frame_bytes_max =
      std::max(SpoolSettings::frame_bytes_max_min, 4 * config.ingest.frame_bytes_max);
  for (const DestinationConfig& destination : config.destinations) {
    settings.lanes.push_back({destination.spool_bytes_max, destination.spool_age_max,
                              destination.spool_order == SpoolOrder::fresh_first});
  }
  return settings;
}

proto::FrameLimits frame_limits(const Config& config) {
  return {config.ingest.frame_bytes_max, config.ingest.event_bytes_max};
}

/// What some destination redacts must not stand in the log either.
bool redacts(const Config& config) {
  return std::ranges::any_of(config.destinations, [](const DestinationConfig& destination) {
    return !destination.redact.empty();
  });
}

}  // namespace

Result<std::unique_ptr<App>> App::create(const Config& config, AppParts parts, Log& log) {
  Random seeds(parts.seed);
  std::unique_ptr<Spool> spool;
  if (parts.exchange != nullptr) {
    spool = std::make_unique<Spool>(spool_settings(config), parts.spool_state.lanes,
                                    *parts.exchange, log);
  }
  auto recurrence = Recurrence::make(config.schedules);
  if (!recurrence.ok()) return recurrence.error();
  parts.recurrence = std::move(recurrence.value());
  std::vector<std::unique_ptr<Destination>> destinations;
  for (DestinationConfig destination : config.destinations) {
    // Files and sockets take one body after the other.
    if (destination.type != DestinationType::http) {
      destination.concurrency_min = destination.concurrency_max = 1;
    }
    const auto settings = make_encode_settings(destination);
    if (!settings.ok()) return settings.error().with_prefix("destination " + destination.name);
    auto encoder = make_encoder(settings.value());
    auto transport =
        parts.make_transport(destination, {encoder->content_type(), encoder->content_encoding()});
    if (!transport.ok()) {
      return transport.error().with_prefix("destination " + destination.name);
    }
    Lane* lane = spool ? &spool->lane(destinations.size()) : nullptr;
    destinations.push_back(std::make_unique<Destination>(
        destination, std::move(encoder), std::move(transport.value()), lane, log, seeds.next()));
  }
  return std::unique_ptr<App>(
      new App(config, parts, std::move(spool), std::move(destinations), log, seeds.next()));
}

App::App(const Config& config, AppParts& parts, std::unique_ptr<Spool> spool,
         std::vector<std::unique_ptr<Destination>> destinations, Log& log, std::uint64_t seed)
    : linger_(config.shutdown_linger),
      log_(log),
      source_(std::move(parts.source)),
      confirm_source_(std::move(parts.confirm_source)),
      spool_(std::move(spool)),
      memory_mark_(parts.memory_mark),
      destinations_(std::move(destinations)),
      refused_bytes_(destinations_.size()),
      router_(routes_of(config)),
      ingest_(*source_, frame_limits(config), spool_ != nullptr, *this, log, seed, redacts(config)),
      recurrence_(std::move(parts.recurrence)),
      unrouted_log_(log),
      unrouted_policy_(config.ingest.unrouted) {
  if (!spool_) return;
  new_schedules_ = recurrence_.marks();
  for (const ScheduleMark& mark : parts.spool_state.marks) {
    std::erase(new_schedules_, mark.name);
    // Another expression, another zone: what was noted for it is not this schedule's.
    if (!recurrence_.restore(mark.name, mark.last_ns)) unwritten_marks_.push_back({mark.name, 0});
  }
  spool_->on_answer(
      [this](const ConfirmedFrame& frame, const FrameAnswer& answer) { confirm(frame, answer); });
  ConfirmSink& sink = *this;
  confirm_.emplace(*confirm_source_, frame_limits(config), sink, log, ~seed, redacts(config));
}

// Events ------------------------------------------------------------------------------------------

std::size_t App::accept(const ArrivedEvent& event, const Now& now) {
  const auto targets = router_.route(event.topic);
  if (targets.empty()) note_unrouted(event.topic, now);
  for (const std::uint32_t target : targets) {
    Destination& destination = *destinations_[target];
    if (event.due_ns == 0) {
      destination.accept(event.record, now);
    } else {
      destination.schedule(event.record, event.due_ns, now);
    }
  }
  return targets.size();
}

void App::note_unrouted(std::string_view topic, const Now& now) {
  ++unrouted_;
  unrouted_log_.note(topic, now);
}

/// In wanted_by_ and sampled_out_by_. False: it goes nowhere.
bool App::find_takers(std::string_view topic, const RecordView& record, const Now& now) {
  wanted_by_.clear();
  sampled_out_by_.clear();
  const auto targets = router_.route(topic);
  for (const std::uint32_t target : targets) {
    const bool is_out = destinations_[target]->is_sampled_out(record);
    (is_out ? sampled_out_by_ : wanted_by_).push_back(target);
  }
  if (targets.empty()) unrouted_log_.note(topic, now);
  return !targets.empty();
}

/// What it adds to the counters is added when the frame is stored: it may be refused yet, or have
/// been stored before.
proto::Refusal App::add_event(const ArrivedEvent& event, const Now& now,
                              std::size_t& destinations) {
  const RecordView record = read_record(event.record.data());
  const bool is_wanted = find_takers(event.topic, record, now);
  destinations = wanted_by_.size() + sampled_out_by_.size();
  if (!is_wanted) {
    if (unrouted_policy_ == Unrouted::refuse) return proto::Refusal::event_unrouted;
    ++frame_counts_.unrouted;
  }
  const proto::Refusal refusal = spool_->add_to_frame(wanted_by_, record, event.due_ns, now);
  if (refusal == proto::Refusal::destination_full) {
    refused_bytes_[spool_->full_lane()] = stored_record_bytes(record);
  }
  if (refusal != proto::Refusal::none) return refusal;
  ++frame_counts_.events;
  for (const LaneIndex lane : sampled_out_by_) {
    const auto counted =
        std::ranges::find(frame_counts_.sampled, lane, &FrameCounts::Sampled::lane);
    if (counted == frame_counts_.sampled.end()) {
      frame_counts_.sampled.push_back({lane, 1});
    } else {
      ++counted->events;
    }
  }
  return refusal;
}

void App::drop_frame() {
  spool_->drop_frame();
  frame_counts_ = {};
}

std::string_view App::full_destination() const {
  return destinations_[spool_->full_lane()]->name();
}

std::vector<proto::TopicSet> App::full_destinations() const {
  std::vector<proto::TopicSet> full;
  for (std::size_t i = 0; i < refused_bytes_.size(); ++i) {
    if (refused_bytes_[i] == 0 || spool_->lane(i).has_room(refused_bytes_[i])) continue;
    const Route& patterns = router_.patterns(i);
    full.push_back({patterns.topics, patterns.exclude});
  }
  return full;
}

void App::add_frame(FrameToConfirm frame) {
  ConfirmedFrame confirmed;
  confirmed.peer = std::move(frame.peer);
  confirmed.client = frame.client;
  confirmed.sequence = frame.sequence;
  confirmed.refused = std::move(frame.refused);
  confirmed.counts = std::exchange(frame_counts_, {});
  spool_->add_frame(std::move(confirmed));
}

void App::confirm(const ConfirmedFrame& frame, const FrameAnswer& answer) {
  if (answer.is_new) {
    unrouted_ += frame.counts.unrouted;
    for (const auto& [lane, events] : frame.counts.sampled) {
      destinations_[lane]->count_sampled_out(events);
    }
  }
  if (frame.mark) return note_run(frame, answer);
  if (answer.status != proto::Refusal::none) {
    ++confirmed_.frames_refused;
  } else if (answer.is_new) {
    ++confirmed_.frames;
  } else {
    ++confirmed_.frames_again;
  }
  confirm_->answer(frame.peer, frame.sequence, answer.status, answer.refused, answer.is_new,
                   frame.counts.events);
}

/// Each run is stored together with its date, so that no crash runs it twice or never.
void App::run_schedules(const Now& now) {
  write_marks(now);
  proto::Refusal refusal = proto::Refusal::none;
  std::string_view mark;
  for (const Recurrence::Run& run : recurrence_.due(now)) {
    // Those behind one that found no room wait for it.
    if (refusal == proto::Refusal::none || run.mark != mark) refusal = add_run(run, now);
    mark = run.mark;
    if (refusal != proto::Refusal::none) keep_run(run.mark, run.due_ns, refusal);
  }
  for (const auto& [name, after, before] : recurrence_.left_out()) {
    log_.warn("a schedule has missed more runs than missed_max; the oldest are left out",
              {{"schedule", name}, {"after", after}, {"before", before}});
  }
  if (now.mono < look_ahead_at_) return;
  look_ahead_at_ = now.mono + Recurrence::look_max;
  for (const auto& [name, until] : recurrence_.find_ahead(now)) {
    log_.warn("the last run of a schedule is ahead of the clock; until then it makes nothing",
              {{"schedule", name}, {"until", until}});
  }
}

/// From its first day on a schedule knows what it has missed; one that was changed or is gone
/// leaves nothing behind.
void App::write_marks(const Now& now) {
  for (std::string& mark : std::exchange(new_schedules_, {})) {
    recurrence_.restore(mark, now.wall_ns());
    unwritten_marks_.push_back({std::move(mark), now.wall_ns()});
  }
  if (unwritten_marks_.empty() || now.mono < marks_due_at_) return;
  marks_due_at_ = now.mono + Recurrence::hold;
  for (ScheduleMark& mark : std::exchange(unwritten_marks_, {})) spool_->add_mark(std::move(mark));
}

proto::Refusal App::add_run(const Recurrence::Run& run, const Now& now) {
  const proto::EventView event = recurrence_.event_of(run);
  const RecordContext context{{}, {}, now};
  std::vector<std::uint8_t> bytes(record_bytes(event, context));
  write_record(event, context, bytes.data());
  const RecordView record = read_record(bytes.data());
  ConfirmedFrame frame;
  frame.mark = {run.mark, run.due_ns};
  frame.counts.events = 1;
  if (!find_takers(event.topic, record, now)) frame.counts.unrouted = 1;
  for (const LaneIndex lane : sampled_out_by_) frame.counts.sampled.push_back({lane, 1});
  return spool_->add_run(wanted_by_, record, std::move(frame), now);
}

/// What became of a run, or of a mark alone.
void App::note_run(const ConfirmedFrame& frame, const FrameAnswer& answer) {
  const ScheduleMark& mark = *frame.mark;
  if (answer.status == proto::Refusal::none) {
    // A newer mark than one that waits.
    std::erase_if(unwritten_marks_, [&](const auto& waiting) { return waiting.name == mark.name; });
    recurrence_.note_written(mark.name, mark.last_ns);
  } else if (frame.counts.events == 0) {
    unwritten_marks_.push_back(mark);
  } else {
    keep_run(mark.name, mark.last_ns, answer.status);
  }
}

void App::keep_run(std::string_view mark, std::uint64_t due_ns, proto::Refusal refusal) {
  if (!recurrence_.note_unwritten(mark, due_ns)) return;
  const bool is_full = refusal == proto::Refusal::destination_full;
  log_.warn("the run of a schedule cannot be stored; it is tried again until it is",
            {{"schedule", std::string(mark)},
             {"because", std::string(proto::describe(refusal).name)},
             {"destination", is_full ? std::string(full_destination()) : ""}});
}

// Turning -----------------------------------------------------------------------------------------

int App::do_work(const Now& now) {
  if (phase_ == Phase::finished) return 0;
  if (phase_ == Phase::running && is_stop_requested_.load(std::memory_order_relaxed)) {
    begin_stop(now);
  }
  int work = spool_ ? spool_->do_work(now) : 0;
  if (spool_ && phase_ == Phase::running) run_schedules(now);
  const bool takes_frames = phase_ == Phase::running || phase_ == Phase::draining;
  int frames = takes_frames ? ingest_.do_work(now) : 0;
  if (confirm_) frames += confirm_->do_work(now);
  work += frames;
  if (phase_ != Phase::storing) {
    for (const auto& destination : destinations_) work += destination->do_work(now);
  }
  if (phase_ == Phase::draining) drain(frames, now);
  if (phase_ == Phase::flushing) flush(now);
  if (spool_) spool_->hand_over(now);
  if (phase_ == Phase::storing) store(now);
  if (memory_mark_ != nullptr) mark_memory(now);
  return work;
}

/// What a crash would cost from here on.
void App::mark_memory(const Now& now) {
  std::uint64_t events = spool_->unwritten_events();
  for (const auto& destination : destinations_) events += destination->events_in_memory_only();
  memory_mark_->set(events, now.mono);
}

MonoTime App::next_deadline() const {
  if (phase_ == Phase::finished) return never;
  MonoTime deadline = never;
  for (const auto& destination : destinations_) {
    deadline = std::min(deadline, destination->next_deadline());
  }
  if (phase_ == Phase::running) deadline = std::min(deadline, ingest_.next_deadline());
  if (phase_ == Phase::draining) deadline = std::min({deadline, quiet_until_, drain_until_});
  if (phase_ == Phase::flushing) deadline = std::min(deadline, linger_until_);
  if (phase_ == Phase::storing) deadline = stop_until();
  if (spool_) deadline = std::min(deadline, spool_->next_deadline());
  if (memory_mark_ != nullptr) deadline = std::min(deadline, memory_mark_->next_deadline());
  if (spool_ && phase_ == Phase::running) {
    deadline = std::min(deadline, recurrence_.next_deadline());
  }
  return deadline;
}

void App::begin_stop(const Now& now) {
  log_.info("stopping", {{"linger", format_duration(linger_)}});
  source_->stop_listening();
  if (confirm_source_) confirm_source_->stop_listening();
  for (const auto& destination : destinations_) destination->begin_stop();
  linger_until_ = now.mono + linger_;
  drain_until_ = now.mono + std::min(drain_max, linger_ / 2);
  quiet_until_ = now.mono + drain_quiet;
  phase_ = Phase::draining;
}

void App::drain(int frames, const Now& now) {
  if (frames > 0) quiet_until_ = now.mono + drain_quiet;
  if (now.mono < std::min(quiet_until_, drain_until_)) return;
  // The frame that is open goes on in turns: its events may have very many copies.
  ingest_.begin_stop();
  if (ingest_.is_inside_frame() && now.mono < linger_until_) return;
  ingest_.refuse_rest(now);
  source_->close();
  if (confirm_) confirm_->refuse_all(now);
  for (const auto& destination : destinations_) destination->begin_flush(now);
  phase_ = Phase::flushing;
}

void App::flush(const Now& now) {
  const bool is_drained =
      std::all_of(destinations_.begin(), destinations_.end(),
                  [](const auto& destination) { return destination->is_drained(); });
  if (!is_drained && now.mono < linger_until_) return;
  for (const auto& destination : destinations_) destination->abandon(now);
  phase_ = Phase::storing;
}

void App::store(const Now& now) {
  if (spool_ && !spool_->is_idle()) {
    if (now.mono < stop_until()) return;
    const auto dropped = [this] {
      std::uint64_t events = 0;
      for (const auto& destination : destinations_) events += destination->ledger().dropped_total();
      return events;
    };
    const std::uint64_t before = dropped();
    const std::uint64_t outcomes = spool_->unwritten_outcomes();
    spool_->give_up(now);
    log_.error(
        "the spool did not take what was left in time",
        {{"events", std::to_string(dropped() - before)}, {"outcomes", std::to_string(outcomes)}});
  }
  finish();
}

void App::finish() {
  for (const auto& destination : destinations_) destination->close(linger_until_);
  if (confirm_source_) confirm_source_->close();
  phase_ = Phase::finished;
}

Report App::report() const {
  Report report;
  report.ingest = ingest_.counters();
  if (confirm_) {
    report.ingest += confirm_->counters();
    report.confirmed = confirmed_;
  }
  report.unrouted = unrouted_;
  report.frames_missing = ingest_.clients().frames_missing();
  report.client_drops = ingest_.clients().drops();
  if (memory_mark_ != nullptr) report.lost_by_last_run = memory_mark_->left_by_last_run();
  for (const auto& destination : destinations_) {
    report.destinations.push_back({destination->name(), destination->ledger()});
  }
  return report;
}

}  // namespace outrider::sidecar
