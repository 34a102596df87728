// Scheduled events: how they come into the spool and leave it.
//
// A date that is wrong by one bit is early, or holds up all behind it. So its checksum stands above
// that of the record, in the same column. Rows of older spools have none there, and are known by
// that.
#include <algorithm>
#include <array>
#include <bit>

#include "sidecar/base/record.hpp"
#include "sidecar/spool/store.hpp"
#include "sidecar/spool/store_statements.hpp"

namespace outrider::sidecar {
namespace {

constexpr unsigned record_bits = 32;
constexpr std::int64_t record_mask = (std::int64_t{1} << record_bits) - 1;
/// Of a date that has a checksum.
constexpr std::int64_t date_mark = std::int64_t{1} << 62U;

std::int64_t date_checksum(std::int64_t due_ns) {
  std::array<std::uint8_t, sizeof(due_ns)> bytes{};
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    bytes[i] = static_cast<std::uint8_t>(static_cast<std::uint64_t>(due_ns) >> (8 * i));
  }
  return (checksum(bytes) << record_bits & (date_mark - 1)) | date_mark;
}

/// A bit of the checksum may be wrong instead.
bool is_date_sound(std::int64_t due_ns, std::int64_t crc) {
  const std::int64_t known = crc & ~record_mask;
  const auto wrong_bits = static_cast<std::uint64_t>(known ^ date_checksum(due_ns));
  return known == 0 || std::popcount(wrong_bits) <= 1;
}

SqliteError wrong_order() {
  return SqliteError::damaged("the dates of scheduled events are damaged");
}

}  // namespace

std::int64_t scheduled_checksum(std::int64_t due_ns, proto::ByteView record) {
  return date_checksum(due_ns) | checksum(record);
}

std::optional<std::int64_t> written_date(std::int64_t due_ns, std::int64_t crc) {
  if (is_date_sound(due_ns, crc)) return due_ns;
  for (unsigned bit = 0; bit < 63; ++bit) {
    const std::int64_t other = due_ns ^ (std::int64_t{1} << bit);
    if (is_date_sound(other, crc)) return other;
  }
  return std::nullopt;
}

bool is_scheduled_sound(proto::ByteView record, std::int64_t crc) {
  return checksum(record) == (crc & record_mask) && is_sound(record, 1);
}

void Store::insert_scheduled(DestinationId destination, std::uint64_t due_ns,
                             proto::ByteView record) {
  // A date that is beyond all numbers would wrap around and be due now.
  const std::int64_t date = as_number(std::min<std::uint64_t>(due_ns, INT64_MAX));
  statements_->insert_scheduled.bind(1, date)
      .bind(2, counters_.next_row++)
      .bind(3, destination)
      .bind(4, scheduled_checksum(date, record))
      .bind(5, record)
      .run();
  deltas_[destination].scheduled_events += 1;
  deltas_[destination].scheduled_bytes += static_cast<std::int64_t>(record.size());
}

void Store::remove_scheduled(DestinationId destination, std::int64_t due_ns, std::int64_t id) {
  Statement& remove = statements_->delete_scheduled;
  const StatementReset reset(remove);
  if (!remove.bind(1, due_ns).bind(2, id).step()) throw wrong_order();
  deltas_[destination].scheduled_events -= 1;
  deltas_[destination].scheduled_bytes -= remove.number(0);
}

std::optional<std::uint64_t> Store::next_due_ns() {
  Statement& next = statements_->next_due;
  const StatementReset reset(next);
  if (!next.step()) return std::nullopt;
  const std::int64_t due_ns = next.number(0);
  if (!is_date_sound(due_ns, next.number(1))) throw wrong_order();
  // One that is too late would hide those behind it.
  if (next.step() && next.number(0) < due_ns) throw wrong_order();
  return static_cast<std::uint64_t>(due_ns);
}

std::vector<DueEvent> Store::take_due(const Now& now, std::uint64_t events_max,
                                      std::uint64_t bytes_max) {
  std::vector<DueEvent> due;
  std::vector<std::pair<std::int64_t, std::int64_t>> keys;
  {
    Statement& read = statements_->read_due;
    read.bind(1, as_number(now.wall_ns())).bind(2, as_number(events_max));
    const StatementReset reset(read);
    std::uint64_t bytes = 0;
    while (bytes < bytes_max && read.step()) {
      const std::pair key(read.number(0), read.number(1));
      const bool is_behind = keys.empty() || keys.back() < key;
      if (!is_behind || !is_date_sound(key.first, read.number(3))) throw wrong_order();
      keys.push_back(key);
      const proto::ByteView record = read.bytes(4);
      DueEvent event{read.number(2), record.size(), {}};
      bytes += record.size();
      if (is_scheduled_sound(record, read.number(3))) {
        event.record.assign(record.begin(), record.end());
      } else {
        note_damaged(event.destination, record, now);
      }
      due.push_back(std::move(event));
    }
  }
  for (std::size_t i = 0; i < due.size(); ++i) {
    remove_scheduled(due[i].destination, keys[i].first, keys[i].second);
  }
  return due;
}

}  // namespace outrider::sidecar
