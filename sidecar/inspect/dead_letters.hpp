// Dead letters: which ones are meant, how they are found, and all that is known about one.
//
// Used by `outrider dead`, by DeadJobs and by the admin interface. A filter has one form for all of
// them: members with a name and a text. Functions that take a Database only read.
// Thread: the caller's. Fails with: SqliteError; take_filter_member() with an Error that names what
// the member takes.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "sidecar/base/result.hpp"
#include "sidecar/spool/store.hpp"

namespace outrider::sidecar {

struct DeadFilter {
  std::vector<std::int64_t> ids;  ///< empty: all
  std::string destination;
  std::string topic;  ///< a pattern
  std::string reason;
  std::optional<int> status;
  std::optional<std::uint64_t> before_ns;  ///< the last attempt
  std::optional<std::uint64_t> after_ns;
  std::uint64_t events_max = UINT64_MAX;  ///< find_dead(): the newest, this many
  std::int64_t lowest_id = INT64_MIN;
  std::int64_t highest_id = INT64_MAX;
};

using FilterMembers = std::vector<std::pair<std::string, std::string>>;

/// Sets destination, topic, reason, status, older_than, newer_than (durations before `now_ns`),
/// last_before_ns, last_from_ns or lowest_id. False: there is no member of this name.
Result<bool> take_filter_member(std::string_view name, const std::string& value,
                                std::uint64_t now_ns, DeadFilter& filter);
/// The members that give this filter again, without its ids, events_max and highest_id.
FilterMembers filter_members(const DeadFilter& filter);
Result<std::int64_t> parse_dead_id(std::string_view text);

struct DeadHead {
  std::int64_t id = 0;
  std::string event;
  std::string destination;
  std::string topic;
  std::string reason;
  int status = 0;
  std::uint32_t attempts = 0;
  std::uint64_t first_ns = 0;
  std::uint64_t last_ns = 0;
  std::uint64_t bytes = 0;
};

/// By everything but the ids.
bool is_wanted(const DeadHead& letter, const DeadFilter& filter);

enum class DeadOrder : std::uint8_t { newest_first, oldest_first };

struct DeadScan {
  DeadOrder order = DeadOrder::newest_first;
  std::size_t letters_max = SIZE_MAX;
  std::uint64_t bytes_max = UINT64_MAX;  ///< of the letters; the first may be larger
  std::uint64_t rows_max = UINT64_MAX;   ///< looked at
  std::function<bool()> is_time_up{};    ///< asked now and then
};

struct DeadPage {
  std::vector<DeadHead> letters;
  /// The last row that was looked at; the scan continues beyond it. Nothing: that was all.
  std::optional<std::int64_t> next;
};

/// Those that match all of the filter, within the limits.
DeadPage scan_dead(Database& database, const DeadFilter& filter, const DeadScan& scan);

/// All of them, the newest last.
std::vector<DeadHead> find_dead(Database& database, const DeadFilter& filter);

struct DeadWhole {
  DeadHead head;
  std::string answer;
  Bytes record;  ///< empty if it is damaged
};
std::optional<DeadWhole> read_dead(Database& database, std::int64_t id);

}  // namespace outrider::sidecar
