#include "sidecar/spool/question_builder.hpp"

#include <algorithm>
#include <iterator>

namespace outrider::sidecar {
namespace {

std::uint64_t bytes_of(const DeadLetter& letter) {
  return letter.record.size() + letter.answer.size();
}

template <typename T>
void put_before(std::vector<T>& first, std::vector<T>& second) {
  std::ranges::move(second, std::back_inserter(first));
  second = std::move(first);
}

}  // namespace

Entry write_entry(Bytes& out, DestinationHandle lane, const RecordView& record,
                  std::uint64_t due_ns, const Now& now) {
  const std::size_t bytes = stored_record_bytes(record);
  const std::size_t offset = out.size();
  out.resize(offset + bytes);
  write_stored_record(record, now, out.data() + offset);
  return {lane, static_cast<std::uint32_t>(bytes), offset, due_ns};
}

void QuestionBuilder::spill(DestinationHandle lane, const RecordView& record, std::uint64_t due_ns,
                            const Now& now) {
  const Entry entry = write_entry(question_->bytes, lane, record, due_ns, now);
  question_->spilled.push_back(entry);
  spilled_bytes_ += entry.record_bytes;
  bytes_gathered_ += entry.record_bytes + sizeof(Entry) + (due_ns != 0 ? row_bytes : 0);
}

void QuestionBuilder::read(ReadRequest request) {
  std::erase_if(question_->reads, [&](const auto& read) { return read.lane == request.lane; });
  question_->reads.push_back(std::move(request));
}

Amount QuestionBuilder::scheduling(DestinationHandle lane) const {
  Amount amount;
  for (const Entry& entry : question_->spilled) {
    if (entry.lane == lane && entry.due_ns != 0) amount += {1, entry.record_bytes};
  }
  return amount;
}

void QuestionBuilder::bury(DeadLetter letter) {
  dead_bytes_ += bytes_of(letter);
  question_->dead.push_back(std::move(letter));
}

void QuestionBuilder::add_frame(ConfirmedFrame frame, const FrameEvents& events) {
  const auto& [bytes, entries] = events;
  frame.first_entry = question_->confirmed.size();
  frame.entries = entries.size();
  for (Entry entry : entries) {
    entry.offset += question_->bytes.size();
    if (entry.due_ns != 0) bytes_gathered_ += row_bytes;
    question_->confirmed.push_back(entry);
  }
  question_->bytes.insert(question_->bytes.end(), bytes.begin(), bytes.end());
  bytes_gathered_ += row_bytes + sizeof(ConfirmedFrame) + frame.peer.size() + bytes.size() +
                     entries.size() * sizeof(Entry) +
                     frame.refused.capacity() * sizeof(proto::RefusedEvent);
  question_->frames.push_back(std::move(frame));
}

std::unique_ptr<Question> QuestionBuilder::take() {
  bytes_gathered_ = 0;
  spilled_bytes_ = 0;
  dead_bytes_ = 0;
  return std::exchange(question_, std::make_unique<Question>());
}

void QuestionBuilder::ask_again(Question& failed) {
  for (const DeadLetter& letter : failed.dead) dead_bytes_ += bytes_of(letter);
  put_before(failed.settlements, question_->settlements);
  put_before(failed.front, question_->front);
  put_before(failed.dead, question_->dead);
  put_before(failed.closings, question_->closings);
  question_->wants_look = question_->wants_look || failed.wants_look;
}

}  // namespace outrider::sidecar
