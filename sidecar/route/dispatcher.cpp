#include "sidecar/route/dispatcher.hpp"

#include <algorithm>
#include <utility>

namespace outrider::sidecar {
namespace {

std::vector<Route> routes_of(const Config& config, const DestinationRegistry& registry) {
  std::vector<Route> routes;
  for (const DestinationConfig& destination : config.destinations) {
    routes.push_back(
        {*registry.handle_of(destination.name), destination.topics, destination.exclude});
  }
  return routes;
}

/// In copies: to look at some nodes of the router's tree takes as long as one.
std::size_t work_of(std::size_t copies, std::size_t router_steps) {
  constexpr std::size_t steps_a_copy = 8;
  return copies + router_steps / steps_a_copy;
}

void count_sampled(FrameCounts& counts, DestinationHandle lane) {
  const auto counted = std::ranges::find(counts.sampled, lane, &FrameCounts::Sampled::lane);
  if (counted == counts.sampled.end()) {
    counts.sampled.push_back({lane, 1});
  } else {
    ++counted->events;
  }
}

}  // namespace

Dispatcher::Dispatcher(const Config& config, const DestinationRegistry& destinations, Spool* spool,
                       Log& log)
    : destinations_(destinations),
      spool_(spool),
      router_(routes_of(config, destinations)),
      unrouted_log_(log),
      unrouted_policy_(config.ingest.unrouted) {}

void Dispatcher::use(const Config& config) {
  router_ = Router(routes_of(config, destinations_));
  unrouted_policy_ = config.ingest.unrouted;
  std::erase_if(refused_bytes_, [this](const auto& refused) {
    return destinations_.find(refused.first) == nullptr;
  });
}

std::size_t Dispatcher::accept(const ArrivedEvent& event, const Now& now) {
  const auto [targets, steps] = router_.route(event.topic);
  if (targets.empty()) {
    ++unrouted_;
    unrouted_log_.note(event.topic, now);
  }
  for (const DestinationHandle target : targets) {
    Destination& destination = *destinations_.find(target);
    if (event.due_ns == 0) {
      destination.accept(event.record, now);
    } else {
      destination.schedule(event.record, event.due_ns, now);
    }
  }
  return work_of(targets.size(), steps);
}

/// Fills wanted_by_ and sampled_out_by_. Returns what it took, for TurnBudget.
std::size_t Dispatcher::find_takers(std::string_view topic, const RecordView& record,
                                    const Now& now) {
  wanted_by_.clear();
  sampled_out_by_.clear();
  const auto [targets, steps] = router_.route(topic);
  for (const DestinationHandle target : targets) {
    const bool is_out = destinations_.find(target)->is_sampled_out(record);
    (is_out ? sampled_out_by_ : wanted_by_).push_back(target);
  }
  if (targets.empty()) unrouted_log_.note(topic, now);
  return work_of(targets.size(), steps);
}

/// The frame may be refused yet, or have been stored before: so nothing counts until note_answer().
proto::Refusal Dispatcher::add_event(const ArrivedEvent& event, const Now& now, std::size_t& work) {
  const RecordView record = read_record(event.record.data());
  work = find_takers(event.topic, record, now);
  if (!has_takers()) {
    if (unrouted_policy_ == Unrouted::refuse) return proto::Refusal::event_unrouted;
    ++frame_counts_.unrouted;
  }
  const proto::Refusal refusal = spool_->add_to_frame(wanted_by_, record, event.due_ns, now);
  if (refusal == proto::Refusal::destination_full) {
    refused_bytes_[spool_->full_lane()] = stored_record_bytes(record);
  }
  if (refusal != proto::Refusal::none) return refusal;
  ++frame_counts_.events;
  for (const DestinationHandle lane : sampled_out_by_) count_sampled(frame_counts_, lane);
  return refusal;
}

void Dispatcher::add_frame(NumberedFrame frame) {
  spool_->add_frame({std::move(frame), std::exchange(frame_counts_, {})});
}

void Dispatcher::drop_frame() {
  spool_->drop_frame();
  frame_counts_ = {};
}

std::string_view Dispatcher::full_destination() const {
  return destinations_.find(spool_->full_lane())->name();
}

std::vector<proto::TopicSet> Dispatcher::full_destinations() const {
  std::vector<proto::TopicSet> full;
  for (const auto& [destination, topics, exclude] : router_.routes()) {
    const auto refused = refused_bytes_.find(destination);
    if (refused == refused_bytes_.end()) continue;
    if (!spool_->lane(destination).has_room(refused->second)) full.push_back({topics, exclude});
  }
  return full;
}

proto::Refusal Dispatcher::add_run(std::string_view topic, const RecordView& record,
                                   ScheduleMark mark, const Now& now) {
  ConfirmedFrame frame;
  frame.mark = std::move(mark);
  frame.counts.events = 1;
  find_takers(topic, record, now);
  if (!has_takers()) frame.counts.unrouted = 1;
  for (const DestinationHandle lane : sampled_out_by_) count_sampled(frame.counts, lane);
  return spool_->add_run(wanted_by_, record, std::move(frame), now);
}

void Dispatcher::note_answer(const ConfirmedFrame& frame, const FrameAnswer& answer) {
  if (!answer.is_new) return;
  unrouted_ += frame.counts.unrouted;
  for (const auto& [lane, events] : frame.counts.sampled) {
    if (Destination* const destination = destinations_.find(lane)) {
      destination->count_sampled_out(events);
    }
  }
}

}  // namespace outrider::sidecar
