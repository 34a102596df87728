#include "sidecar/inspect/dead_letters.hpp"

#include <algorithm>
#include <array>

#include "proto/topic.hpp"
#include "sidecar/base/clock.hpp"
#include "sidecar/base/ledger.hpp"
#include "sidecar/base/text.hpp"
#include "sidecar/base/units.hpp"
#include "sidecar/inspect/inspection.hpp"

namespace outrider::sidecar {
namespace {

std::string dead_columns() {
  return "id, destination, event, topic, reason, status, attempts, first_ns, last_ns, (" +
         byte_length("record") + ")+(" + byte_length("answer") + ")";
}
constexpr std::uint64_t rows_between_looks = 64;

DeadHead read_head(const Statement& row, const StoredDestinations& known) {
  return {row.number(0),
          std::string(row.text(2)),
          name_of(known, row.number(1)),
          std::string(row.text(3)),
          std::string(row.text(4)),
          static_cast<int>(row.number(5)),
          static_cast<std::uint32_t>(row.number(6)),
          static_cast<std::uint64_t>(row.number(7)),
          static_cast<std::uint64_t>(row.number(8)),
          static_cast<std::uint64_t>(std::max<std::int64_t>(row.number(9), 0))};
}

// Members of a filter -----------------------------------------------------------------------------

std::string quoted(const std::string& value) {
  return "\"" + printable(value, 64) + "\"";
}

Status take_topic(const std::string& value, DeadFilter& filter) {
  if (Status valid = check_topic_pattern(value); !valid.ok()) return valid;
  filter.topic = value;
  return Nothing{};
}

Status take_reason(const std::string& value, DeadFilter& filter) {
  std::string names;
  for (const DeadReasonRow& row : dead_reasons) {
    names += (names.empty() ? "" : ", ") + std::string(row.name);
    if (row.name == value) filter.reason = value;
  }
  return filter.reason == value && !value.empty() ? Status(Nothing{})
                                                  : Error{quoted(value) + " is none of " + names};
}

Status take_status(const std::string& value, DeadFilter& filter) {
  const auto status = parse_count(value);
  if (!status.ok() || status.value() > 999) return Error{quoted(value) + " is not an HTTP status"};
  filter.status = static_cast<int>(status.value());
  return Nothing{};
}

Result<std::uint64_t> time_before(const std::string& age, std::uint64_t now_ns) {
  const auto parsed = parse_duration(age);
  if (!parsed.ok()) return parsed.error();
  return now_ns - std::min(static_cast<std::uint64_t>(parsed.value().count()), now_ns);
}

Status store(const Result<std::uint64_t>& number, std::optional<std::uint64_t>& to) {
  if (!number.ok()) return number.error();
  to = number.value();
  return Nothing{};
}

struct MemberRow {
  std::string_view name;
  Status (*take)(const std::string& value, std::uint64_t now_ns, DeadFilter& filter);
};

constexpr std::array member_rows = {
    MemberRow{"destination",
              [](const std::string& value, std::uint64_t, DeadFilter& filter) -> Status {
                filter.destination = value;
                return Nothing{};
              }},
    MemberRow{"topic", [](const std::string& value, std::uint64_t,
                          DeadFilter& filter) { return take_topic(value, filter); }},
    MemberRow{"reason", [](const std::string& value, std::uint64_t,
                           DeadFilter& filter) { return take_reason(value, filter); }},
    MemberRow{"status", [](const std::string& value, std::uint64_t,
                           DeadFilter& filter) { return take_status(value, filter); }},
    MemberRow{"older_than",
              [](const std::string& value, std::uint64_t now_ns, DeadFilter& filter) {
                return store(time_before(value, now_ns), filter.before_ns);
              }},
    MemberRow{"newer_than",
              [](const std::string& value, std::uint64_t now_ns, DeadFilter& filter) {
                return store(time_before(value, now_ns), filter.after_ns);
              }},
    MemberRow{"last_before_ns",
              [](const std::string& value, std::uint64_t, DeadFilter& filter) {
                return store(parse_count(value), filter.before_ns);
              }},
    MemberRow{"last_from_ns",
              [](const std::string& value, std::uint64_t, DeadFilter& filter) {
                return store(parse_count(value), filter.after_ns);
              }},
    MemberRow{"lowest_id",
              [](const std::string& value, std::uint64_t, DeadFilter& filter) -> Status {
                const auto id = parse_dead_id(value);
                if (!id.ok()) return id.error();
                filter.lowest_id = id.value();
                return Nothing{};
              }},
};

}  // namespace

bool is_wanted(const DeadHead& letter, const DeadFilter& filter) {
  return (filter.destination.empty() || letter.destination == filter.destination) &&
         (filter.topic.empty() || proto::matches(filter.topic, letter.topic)) &&
         (filter.reason.empty() || letter.reason == filter.reason) &&
         (!filter.status || letter.status == *filter.status) &&
         (!filter.before_ns || letter.last_ns < *filter.before_ns) &&
         (!filter.after_ns || letter.last_ns >= *filter.after_ns);
}

Result<std::int64_t> parse_dead_id(std::string_view text) {
  const auto id = parse_count(text);
  if (!id.ok() || id.value() > INT64_MAX) {
    return Error{quoted(std::string(text)) +
                 " is not the id of a dead letter; `outrider dead list` shows the ids"};
  }
  return static_cast<std::int64_t>(id.value());
}

Result<bool> take_filter_member(std::string_view name, const std::string& value,
                                std::uint64_t now_ns, DeadFilter& filter) {
  const auto* const row = std::ranges::find(member_rows, name, &MemberRow::name);
  if (row == member_rows.end()) return false;
  if (Status taken = row->take(value, now_ns, filter); !taken.ok()) return taken.error();
  return true;
}

FilterMembers filter_members(const DeadFilter& filter) {
  FilterMembers members;
  const auto add = [&](const char* name, const std::string& value) {
    if (!value.empty()) members.emplace_back(name, value);
  };
  const auto text = [](const auto& number) { return number ? std::to_string(*number) : ""; };
  add("destination", filter.destination);
  add("topic", filter.topic);
  add("reason", filter.reason);
  add("status", text(filter.status));
  add("last_before_ns", text(filter.before_ns));
  add("last_from_ns", text(filter.after_ns));
  add("lowest_id", filter.lowest_id == INT64_MIN ? "" : std::to_string(filter.lowest_id));
  return members;
}

// Finding -----------------------------------------------------------------------------------------

namespace {

/// The rows of a scan in their order: of a stretch of ids, or of the ids that are wanted.
class DeadRows {
 public:
  DeadRows(Database& database, const DeadFilter& filter, DeadOrder order)
      : ids_(filter.ids),
        filter_(filter),
        statement_(database,
                   "SELECT " + dead_columns() + " FROM dead WHERE " +
                       (ids_.empty() ? "id>=?1 AND id<=?2 ORDER BY id" : "id=?1") +
                       (ids_.empty() && order == DeadOrder::newest_first ? " DESC" : "")) {
    if (ids_.empty()) {
      statement_.bind(1, filter.lowest_id).bind(2, filter.highest_id);
      return;
    }
    std::ranges::sort(ids_);
    ids_.erase(std::unique(ids_.begin(), ids_.end()), ids_.end());
    // The next one is the last.
    if (order == DeadOrder::oldest_first) std::ranges::reverse(ids_);
    is_by_id_ = true;
  }
  ~DeadRows() { statement_.reset(); }
  DeadRows(const DeadRows&) = delete;
  DeadRows& operator=(const DeadRows&) = delete;

  const Statement* next() {
    if (!is_by_id_) return statement_.step() ? &statement_ : nullptr;
    while (!ids_.empty()) {
      const std::int64_t id = ids_.back();
      ids_.pop_back();
      if (id < filter_.lowest_id || id > filter_.highest_id) continue;
      statement_.reset();
      if (statement_.bind(1, id).step()) return &statement_;
    }
    return nullptr;
  }

 private:
  std::vector<std::int64_t> ids_;
  const DeadFilter& filter_;
  Statement statement_;
  bool is_by_id_ = false;
};

}  // namespace

DeadPage scan_dead(Database& database, const DeadFilter& filter, const DeadScan& scan) {
  const StoredDestinations known = read_destinations(database);
  DeadPage page;
  DeadRows rows(database, filter, scan.order);
  std::uint64_t bytes = 0;
  std::uint64_t looked_at = 0;
  while (page.letters.size() < scan.letters_max && looked_at < scan.rows_max) {
    const bool is_time_to_look = looked_at % rows_between_looks == rows_between_looks - 1;
    if (is_time_to_look && scan.is_time_up && scan.is_time_up()) return page;
    const Statement* const row = rows.next();
    if (row == nullptr) {
      page.next.reset();
      return page;
    }
    ++looked_at;
    DeadHead letter = read_head(*row, known);
    const bool is_one = is_wanted(letter, filter);
    if (is_one && !page.letters.empty() && bytes + letter.bytes > scan.bytes_max) return page;
    page.next = letter.id;
    if (!is_one) continue;
    bytes += letter.bytes;
    page.letters.push_back(std::move(letter));
  }
  return page;
}

std::vector<DeadHead> find_dead(Database& database, const DeadFilter& filter) {
  DeadPage page = scan_dead(database, filter, {.letters_max = filter.events_max});
  std::ranges::reverse(page.letters);
  return std::move(page.letters);
}

std::optional<DeadWhole> read_dead(Database& database, std::int64_t id) {
  Statement row(database, "SELECT " + dead_columns() + ", answer, record FROM dead WHERE id=?");
  row.bind(1, id);
  const StatementReset reset(row);
  if (!row.step()) return std::nullopt;
  DeadWhole letter{read_head(row, read_destinations(database)), std::string(row.text(10)), {}};
  const proto::ByteView record = row.bytes(11);
  if (is_sound(record, 1)) letter.record.assign(record.begin(), record.end());
  return letter;
}

}  // namespace outrider::sidecar
