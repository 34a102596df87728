// Dead letters: how they come into the spool and leave it.
#include "sidecar/base/fault_point.hpp"
#include "sidecar/base/record.hpp"
#include "sidecar/spool/store.hpp"
#include "sidecar/spool/store_statements.hpp"

namespace outrider::sidecar {

Amount Store::dead() const {
  const auto positive = [](std::int64_t number) {
    return static_cast<std::uint64_t>(std::max<std::int64_t>(number, 0));
  };
  return {positive(counters_.dead_events), positive(counters_.dead_bytes)};
}

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

std::optional<std::pair<DestinationId, Bytes>> Store::take_dead(std::int64_t id) {
  Statement& take = statements_->take_dead;
  const StatementReset reset(take);
  if (!take.bind(1, id).step()) return std::nullopt;
  const proto::ByteView record = take.bytes(1);
  counters_.dead_events -= 1;
  counters_.dead_bytes -= static_cast<std::int64_t>(record.size()) + take.number(2);
  return std::pair(take.number(0), Bytes(record.begin(), record.end()));
}

void Store::count_dead() {
  counters_.dead_events = database_.number("SELECT count(*) FROM dead");
  counters_.dead_bytes =
      database_.number("SELECT coalesce(sum(" + byte_length("record") + "),0)+coalesce(sum(" +
                       byte_length("answer") + "),0) FROM dead");
  is_dead_counted_ = true;
}

Store::Trimmed Store::trim_dead(const DeadLimits& limits, const Now& now) {
  const auto are_too_many = [&] {
    return counters_.dead_events > as_number(limits.events_max) ||
           counters_.dead_bytes > as_number(limits.bytes_max);
  };
  Trimmed trimmed;
  if (are_too_many() && !is_dead_counted_) {
    const auto kept = counters_.dead();
    count_dead();
    trimmed.is_recounted = counters_.dead() != kept;
  }
  const std::int64_t oldest_ns = as_number(now.wall_ns()) - limits.age_max.count();
  Statement& oldest = statements_->oldest_dead;
  for (;; ++trimmed.removed) {
    const StatementReset reset(oldest);
    if (!oldest.step() || (!are_too_many() && oldest.number(1) >= oldest_ns)) return trimmed;
    // It would be the oldest for ever.
    if (!take_dead(oldest.number(0))) {
      throw SqliteError::damaged("a dead letter cannot be found by its number");
    }
  }
}

std::uint64_t Store::trim_damaged(Duration age_max, const Now& now) {
  Statement trim(database_, "DELETE FROM damaged WHERE noted_ns<?");
  trim.bind(1, as_number(now.wall_ns()) - age_max.count()).run();
  return static_cast<std::uint64_t>(database_.changes());
}

bool Store::put_back_dead(std::int64_t id, const Now& now) {
  auto taken = take_dead(id);
  if (!taken) return false;
  auto& [destination, record] = *taken;
  const auto bytes = static_cast<std::int64_t>(record.size());
  insert_block(
      destination,
      {.events = 1, .created_ns = now.wall_ns(), .records = std::move(record), .settled = {}});
  fault_point("mid_retry");
  statements_->add_returned.bind(1, destination).bind(2, std::int64_t{1}).bind(3, bytes).run();
  return true;
}

bool Store::remove_dead(std::int64_t id) {
  return take_dead(id).has_value();
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
