// Dead letters: how they come into the spool and leave it.
#include <algorithm>

#include "sidecar/base/fault_point.hpp"
#include "sidecar/base/record.hpp"
#include "sidecar/spool/store.hpp"
#include "sidecar/spool/store_statements.hpp"

namespace outrider::sidecar {

void Store::insert_dead(DestinationId destination, const DeadLetter& letter) {
  const RecordView record = read_record(letter.record.data());
  IdSpace space;
  const std::string_view reason = dead_reasons[static_cast<std::size_t>(letter.reason)].name;
  statements_->insert_dead.bind(1, counters_.next_row++)
      .bind(2, destination)
      .bind(3, id_text(record, space))
      .bind(4, record.topic)
      .bind(5, reason)
      .bind(6, std::int64_t{letter.status})
      .bind(7, std::int64_t{letter.attempts})
      .bind(8, as_number(letter.first_ns))
      .bind(9, as_number(letter.last_ns))
      .bind(10, std::string_view(letter.answer))
      .bind(11, proto::ByteView(letter.record))
      .run();
  counters_.dead_events += 1;
  counters_.dead_bytes += static_cast<std::int64_t>(letter.record.size() + letter.answer.size());
}

std::uint64_t Store::trim_dead(const DeadLimits& limits, const Now& now) {
  std::uint64_t removed = 0;
  const std::int64_t oldest_ns = as_number(now.wall_ns()) - limits.age_max.count();
  for (;;) {
    std::int64_t id = 0;
    std::int64_t bytes = 0;
    {
      Statement& oldest = statements_->oldest_dead;
      const StatementReset reset(oldest);
      if (!oldest.step()) return removed;
      const bool is_over = counters_.dead_events > as_number(limits.events_max) ||
                           counters_.dead_bytes > as_number(limits.bytes_max) ||
                           oldest.number(2) < oldest_ns;
      if (!is_over) return removed;
      id = oldest.number(0);
      bytes = oldest.number(1);
    }
    statements_->delete_dead.bind(1, id).run();
    counters_.dead_events -= 1;
    counters_.dead_bytes -= bytes;
    ++removed;
  }
}

std::uint64_t Store::trim_damaged(Duration age_max, const Now& now) {
  Statement trim(database_, "DELETE FROM damaged WHERE noted_ns<?");
  trim.bind(1, as_number(now.wall_ns()) - age_max.count()).run();
  return static_cast<std::uint64_t>(database_.changes());
}

bool Store::put_back_dead(std::int64_t id, const Now& now) {
  DestinationId destination = 0;
  Block block;
  std::int64_t answer_bytes = 0;
  {
    Statement& read = statements_->read_dead;
    read.bind(1, id);
    const StatementReset reset(read);
    if (!read.step()) return false;
    destination = read.number(0);
    const proto::ByteView record = read.bytes(1);
    block.records.assign(record.begin(), record.end());
    answer_bytes = read.number(2);
  }
  block.events = 1;
  block.created_ns = now.wall_ns();
  insert_block(destination, block);
  fault_point("mid_retry");
  const auto bytes = static_cast<std::int64_t>(block.records.size());
  statements_->add_returned.bind(1, destination).bind(2, std::int64_t{1}).bind(3, bytes).run();
  statements_->delete_dead.bind(1, id).run();
  counters_.dead_events -= 1;
  counters_.dead_bytes -= bytes + answer_bytes;
  return true;
}

bool Store::remove_dead(std::int64_t id) {
  std::int64_t bytes = 0;
  {
    Statement& read = statements_->read_dead;
    read.bind(1, id);
    const StatementReset reset(read);
    if (!read.step()) return false;
    bytes = static_cast<std::int64_t>(read.bytes(1).size()) + read.number(2);
  }
  statements_->delete_dead.bind(1, id).run();
  counters_.dead_events -= 1;
  counters_.dead_bytes -= bytes;
  return true;
}

std::vector<std::pair<DestinationId, Amount>> Store::take_returned() {
  std::vector<std::pair<DestinationId, Amount>> returned;
  Statement& read = statements_->read_returned;
  while (read.step()) {
    returned.push_back(
        {read.number(0),
         {static_cast<std::uint64_t>(read.number(1)), static_cast<std::uint64_t>(read.number(2))}});
  }
  if (!returned.empty()) statements_->delete_returned.run();
  return returned;
}

}  // namespace outrider::sidecar
