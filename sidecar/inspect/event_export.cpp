#include "sidecar/inspect/event_export.hpp"

#include "proto/topic.hpp"
#include "sidecar/inspect/inspection.hpp"
#include "sidecar/spool/table_walk.hpp"

namespace outrider::sidecar {
namespace {

class Exporter {
 public:
  Exporter(Database& database, const EventFilter& filter,
           const std::function<bool(const ExportedEvent&)>& take,
           const std::function<void()>& between)
      : database_(database), filter_(filter), take_(take), between_(between) {
    try {
      known_ = read_destinations(database_);
    } catch (const SqliteError&) {
      ++unreadable_.stretches;
    }
  }

  Unreadable run() {
    if (wants(EventState::scheduled)) {
      walk({"scheduled", "due_ns", "id"}, "destination, crc, record",
           [this](Statement& row) { take_scheduled(row); });
    }
    if (wants(EventState::spooled)) {
      walk({"block", "id", nullptr}, "destination, events, crc, records",
           [this](Statement& row) { take_block(row); });
    }
    if (wants(EventState::dead)) {
      walk({"dead", "id", nullptr}, "destination, record, reason, status, attempts",
           [this](Statement& row) { take_dead(row); });
    }
    return unreadable_;
  }

 private:
  bool wants(EventState state) const {
    return !is_stopped_ && (!filter_.state || *filter_.state == state);
  }

  void walk(const KeyedTable& table, const char* columns,
            const std::function<void(Statement&)>& take_row) {
    const auto take = [&](Statement& row) {
      destination_ = name_of(known_, row.number(2));
      if (filter_.destination.empty() || destination_ == filter_.destination) take_row(row);
      return !is_stopped_;
    };
    unreadable_.stretches += walk_table(database_, table, columns, take, between_);
  }

  void take_block(Statement& row) {
    proto::ByteView records = row.bytes(5);
    const auto events = static_cast<std::uint32_t>(row.number(3));
    if (checksum(records) != row.number(4) || !is_sound(records, events)) {
      unreadable_.events += events;
      return;
    }
    const Bytes settled = settled_of(row.number(0));
    for (std::uint32_t i = 0; i < events && !is_stopped_; ++i) {
      const RecordView record = read_record(records.data());
      if (!has_bit(settled, i))
        give({.state = EventState::spooled, .destination = destination_, .record = record});
      records = records.subspan(record.bytes.size());
    }
  }

  /// Rather an event too many than one too few.
  Bytes settled_of(BlockId block) {
    try {
      Statement find(database_, "SELECT events FROM settled WHERE block=?");
      find.bind(1, block);
      const StatementReset reset(find);
      if (!find.step()) return {};
      const proto::ByteView bits = find.bytes(0);
      return {bits.begin(), bits.end()};
    } catch (const SqliteError&) {
      ++unreadable_.stretches;
      return {};
    }
  }

  void take_scheduled(Statement& row) {
    const proto::ByteView bytes = row.bytes(4);
    const auto due_ns = written_date(row.number(0), row.number(3));
    if (!is_scheduled_sound(bytes, row.number(3)) || !due_ns) {
      ++unreadable_.events;
      return;
    }
    give({.state = EventState::scheduled,
          .destination = destination_,
          .record = read_record(bytes.data()),
          .due_ns = static_cast<std::uint64_t>(*due_ns)});
  }

  void take_dead(Statement& row) {
    const proto::ByteView bytes = row.bytes(3);
    if (!is_sound(bytes, 1)) {
      ++unreadable_.events;
      return;
    }
    give({.state = EventState::dead,
          .destination = destination_,
          .record = read_record(bytes.data()),
          .reason = row.text(4),
          .status = static_cast<int>(row.number(5)),
          .attempts = static_cast<std::uint32_t>(row.number(6))});
  }

  void give(const ExportedEvent& event) {
    if (!filter_.topic.empty() && !proto::matches(filter_.topic, event.record.topic)) return;
    is_stopped_ = !take_(event);
  }

  Database& database_;
  const EventFilter& filter_;
  const std::function<bool(const ExportedEvent&)>& take_;
  const std::function<void()>& between_;
  StoredDestinations known_;
  std::string destination_;
  Unreadable unreadable_;
  bool is_stopped_ = false;
};

}  // namespace

Unreadable for_each_event(Database& database, const EventFilter& filter,
                          const std::function<bool(const ExportedEvent&)>& take,
                          const std::function<void()>& between) {
  return Exporter(database, filter, take, between).run();
}

}  // namespace outrider::sidecar
