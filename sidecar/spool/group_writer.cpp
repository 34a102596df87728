#include "sidecar/spool/group_writer.hpp"

#include <algorithm>
#include <utility>

#include "sidecar/base/fault_point.hpp"

namespace outrider::sidecar {

Reply GroupWriter::write(const Question& question, const GroupScope& scope, const Now& now) {
  Reply answer;
  builders_.clear();
  scheduled_.clear();
  sends_back_ = scope.sends_back;
  if (scope.takes_in) keeper_.prepare_promise();
  Store& store = keeper_.store();
  store.begin(keeper_.is_synced() && (scope.takes_in || !question.dead.empty()));
  note_returned(answer);
  if (scope.takes_in) {
    take_intake(question, answer, now);
    take_front(question, now);
  }
  for (const Settlement& settlement : question.settlements) {
    store.settle(keeper_.destination(settlement.lane), settlement);
  }
  if (!question.settlements.empty()) fault_point("mid_settle");
  // First what was there: nothing becomes a dead letter and is removed in one step.
  if (!question.dead.empty()) answer.dead_trimmed = keeper_.trim_dead(now);
  for (const DeadLetter& letter : question.dead) {
    store.insert_dead(keeper_.destination(letter.lane), letter);
  }
  if (!question.dead.empty()) fault_point("mid_bury");
  // Also of what has just come in.
  if (scope.releases && has_due(now)) release_due(answer, now);
  for (auto& [lane, builder] : builders_) {
    if (builder.block.events > 0) finish_block(answer, lane, builder, now);
  }
  const std::vector<DestinationId> opened = open_lanes(question, scope, answer);
  fault_point("before_commit");
  store.commit();
  fault_point("after_commit");
  for (std::size_t i = 0; i < opened.size(); ++i) {
    keeper_.note_opened(question.openings[i], opened[i]);
  }
  for (const DestinationHandle lane : question.closings) keeper_.note_closed(lane);
  return answer;
}

/// In the order in which it came, which is that of the bytes: events of one key may be in both.
void GroupWriter::take_intake(const Question& question, Reply& answer, const Now& now) {
  auto spilled = question.spilled.begin();
  const auto add_spilled_before = [&](std::size_t offset) {
    for (; spilled != question.spilled.end() && spilled->offset < offset; ++spilled) {
      add(question, answer, *spilled, false, now);
    }
  };
  for (const ConfirmedFrame& frame : question.frames) {
    answer.frames.push_back(keeper_.store().take_frame(frame, now));
    if (!answer.frames.back().is_new) continue;
    if (frame.entries > 0) add_spilled_before(question.confirmed[frame.first_entry].offset);
    for (std::size_t i = 0; i < frame.entries; ++i) {
      add(question, answer, question.confirmed[frame.first_entry + i], true, now);
    }
  }
  add_spilled_before(question.bytes.size());
  insert_scheduled(question);
}

/// By date, so that those whose pages are beside each other follow each other.
void GroupWriter::insert_scheduled(const Question& question) {
  std::ranges::stable_sort(scheduled_, {}, &Entry::due_ns);
  for (const Entry* const entry : scheduled_) {
    const proto::ByteView record(question.bytes.data() + entry->offset, entry->record_bytes);
    keeper_.store().insert_scheduled(keeper_.destination(entry->lane), entry->due_ns, record);
    keeper_.note_written(record.size());
  }
  if (!scheduled_.empty()) next_due_ns_ = std::min(next_due_ns_, scheduled_.front()->due_ns);
}

void GroupWriter::add(const Question& question, Reply& answer, const Entry& entry, bool is_wanted,
                      const Now& now) {
  if (entry.due_ns != 0) {
    scheduled_.push_back(&entry);
    return;
  }
  const proto::ByteView record(question.bytes.data() + entry.offset, entry.record_bytes);
  add_record(answer, entry.lane, record, is_wanted, now);
}

void GroupWriter::add_record(Reply& answer, DestinationHandle lane, proto::ByteView record,
                             bool is_wanted, const Now& now) {
  Builder& builder = builders_[lane];
  Bytes& records = builder.block.records;
  const bool is_full = !Store::has_room(builder.block, record.size());
  if (builder.block.events > 0 && (is_full || builder.is_wanted != is_wanted)) {
    finish_block(answer, lane, builder, now);
  }
  builder.is_wanted = is_wanted;
  records.insert(records.end(), record.begin(), record.end());
  ++builder.block.events;
}

void GroupWriter::finish_block(Reply& answer, DestinationHandle lane, Builder& builder,
                               const Now& now) {
  Block& block = builder.block;
  block.lane = lane;
  block.created_ns = now.wall_ns();
  block.id = keeper_.store().insert_block(keeper_.destination(lane), block);
  keeper_.note_written(block.records.size());
  fault_point("mid_spill");
  if (builder.is_wanted && sends_back_) {
    answer.lanes[lane].stored.push_back(std::exchange(block, {}));
  } else {
    answer.lanes[lane].left += {block.events, block.records.size()};
    block.records.clear();
    block.events = 0;
  }
}

void GroupWriter::take_front(const Question& question, const Now& now) {
  std::map<DestinationHandle, std::vector<const Block*>> by_lane;
  for (const Block& block : question.front) by_lane[block.lane].push_back(&block);
  for (const auto& [lane, blocks] : by_lane) {
    keeper_.store().insert_front(keeper_.destination(lane), blocks, now);
    fault_point("mid_put_back");
  }
}

void GroupWriter::release_due(Reply& answer, const Now& now) {
  Store& store = keeper_.store();
  for (DueEvent& event : store.take_due(now, due_events_max, due_bytes_max)) {
    const auto lane = keeper_.lane_of(event.destination);
    if (!lane) {
      // Its destination is not configured any more. There it waits with the others.
      Block block;
      block.events = 1;
      block.created_ns = now.wall_ns();
      block.records = std::move(event.record);
      if (block.records.empty()) {
        keeper_.say_damaged(event.destination, 1);
      } else {
        store.insert_block(event.destination, block);
      }
      continue;
    }
    if (event.record.empty()) {
      answer.lanes[*lane].unreleased += {1, event.bytes};
      continue;
    }
    answer.lanes[*lane].released += {1, event.bytes};
    add_record(answer, *lane, event.record, true, now);
  }
  fault_point("mid_release");
  next_due_ns_ = store.next_due_ns().value_or(UINT64_MAX);
}

/// Last of all: so the totals include the effect of this transaction, and the lanes hear of that of
/// later ones.
std::vector<DestinationId> GroupWriter::open_lanes(const Question& question,
                                                   const GroupScope& scope, Reply& answer) {
  std::vector<DestinationId> opened;
  if (!scope.takes_in || question.openings.empty()) return opened;
  Store& store = keeper_.store();
  for (const LaneOpening& opening : question.openings) {
    opened.push_back(store.destination(opening.name));
  }
  store.write_totals();
  const StoredDestinations known = store.destinations();
  for (const DestinationId id : opened) answer.opened.push_back(known.at(id).totals);
  return opened;
}

void GroupWriter::note_returned(Reply& answer) {
  for (const auto& [destination, amount] : keeper_.store().take_returned()) {
    if (const auto lane = keeper_.lane_of(destination)) answer.lanes[*lane].returned += amount;
  }
}

ReadAnswer GroupWriter::read(const ReadRequest& request, const Now& now) {
  const DestinationId destination = keeper_.destination(request.lane);
  Store& store = keeper_.store();
  ReadAnswer answer;
  if (request.is_anew) {
    store.begin(keeper_.is_synced());
    for (const Block& block : request.held) {
      if (!store.hold(destination, block)) answer.gone.push_back(block.id);
    }
    store.commit();
    answer.totals = store.destinations()[destination].totals;
    return answer;
  }
  if (request.is_doubted) keeper_.count_anew();
  ReadBlocks read = store.read(destination, request);
  if (!read.damaged.empty() || read.is_settled_wrong) {
    // It may have been read wrongly, and is right on the disk.
    store.database().forget_pages();
    read = store.read(destination, request);
  }
  if (read.is_settled_wrong) keeper_.count_anew();
  answer.blocks = std::move(read.blocks);
  answer.is_end = read.is_end;
  if (read.damaged.empty()) return answer;
  store.begin(false);
  for (const BlockId block : read.damaged) {
    answer.damaged += store.quarantine(destination, block, now);
    fault_point("quarantine_block");
  }
  store.commit();
  keeper_.say_damaged(destination, answer.damaged.events);
  return answer;
}

}  // namespace outrider::sidecar
