#include "sidecar/spool/group_builder.hpp"

namespace outrider::sidecar {
namespace {

std::uint64_t bytes_of(const DeadLetter& letter) {
  return letter.record.size() + letter.answer.size();
}

}  // namespace

Entry write_entry(Bytes& out, LaneIndex lane, const RecordView& record, std::uint64_t due_ns,
                  const Now& now) {
  const std::size_t bytes = stored_record_bytes(record);
  const std::size_t offset = out.size();
  out.resize(offset + bytes);
  write_stored_record(record, now, out.data() + offset);
  return {lane, static_cast<std::uint32_t>(bytes), offset, due_ns};
}

void GroupBuilder::spill(LaneIndex lane, const RecordView& record, std::uint64_t due_ns,
                         const Now& now) {
  const Entry entry = write_entry(group_->bytes, lane, record, due_ns, now);
  group_->spilled.push_back(entry);
  spilled_bytes_ += entry.record_bytes;
  bytes_gathered_ += entry.record_bytes + sizeof(Entry);
}

void GroupBuilder::bury(DeadLetter letter) {
  dead_bytes_ += bytes_of(letter);
  group_->dead.push_back(std::move(letter));
}

void GroupBuilder::add_frame(ConfirmedFrame frame, const std::vector<Entry>& entries,
                             const Bytes& bytes) {
  frame.first_entry = group_->confirmed.size();
  frame.entries = entries.size();
  for (Entry entry : entries) {
    entry.offset += group_->bytes.size();
    group_->confirmed.push_back(entry);
  }
  group_->bytes.insert(group_->bytes.end(), bytes.begin(), bytes.end());
  bytes_gathered_ += sizeof(ConfirmedFrame) + frame.peer.size() + bytes.size() +
                     entries.size() * sizeof(Entry) +
                     frame.refused.capacity() * sizeof(proto::RefusedEvent);
  group_->frames.push_back(std::move(frame));
}

std::unique_ptr<Group> GroupBuilder::take() {
  bytes_gathered_ = 0;
  spilled_bytes_ = 0;
  dead_bytes_ = 0;
  return std::exchange(group_, std::make_unique<Group>());
}

void GroupBuilder::ask_again(Group& group) {
  for (const DeadLetter& letter : group.dead) dead_bytes_ += bytes_of(letter);
  put_before(group.settlements, group_->settlements);
  put_before(group.front, group_->front);
  put_before(group.dead, group_->dead);
  group_->wants_look = group_->wants_look || group.wants_look;
}

}  // namespace outrider::sidecar
