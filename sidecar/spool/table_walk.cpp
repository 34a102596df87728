#include "sidecar/spool/table_walk.hpp"

#include <compare>
#include <optional>
#include <utility>

namespace outrider::sidecar {
namespace {

struct Place {
  std::int64_t key;
  std::int64_t second;
  auto operator<=>(const Place&) const = default;  // NOLINT(modernize-use-nullptr): its "0"
};
constexpr Place before_all{INT64_MIN, INT64_MIN};
constexpr Place behind_all{INT64_MAX, INT64_MAX};

class Walk {
 public:
  Walk(Database& database, const KeyedTable& table, const std::string& columns,
       const std::function<bool(Statement&)>& take, const std::function<void()>& between)
      : database_(database),
        take_(take),
        between_(between),
        has_second_(table.second_key != nullptr),
        is_read_error_passed_on_(table.is_read_error_passed_on) {
    const std::string key = table.key;
    const std::string select = "SELECT " + key + "," +
                               (has_second_ ? std::string(table.second_key) : "0") + "," + columns +
                               " FROM " + table.name + " WHERE ";
    if (!has_second_) {
      const std::string inside = key + ">?1 AND " + key + "<?3 ORDER BY " + key;
      up_ = select + inside;
      down_ = select + inside + " DESC";
      return;
    }
    const std::string second = table.second_key;
    const std::string both = "(" + key + "," + second + ")";
    const std::string before_end = both + "<(?3,?4)";
    // Upwards in two, so that no condition hides a row that is lower than those before it.
    same_ = select + key + "=?1 AND " + second + ">?2 AND " + before_end + " ORDER BY " + second;
    up_ = select + key + ">?1 AND " + before_end + " ORDER BY " + key + "," + second;
    down_ = select + both + ">(?1,?2) AND " + before_end + " ORDER BY " + key + " DESC," + second +
            " DESC";
  }

  std::uint64_t run() {
    if (read(true)) return 0;
    if (read(false)) return 1;
    std::uint64_t stretches = 1;
    std::int64_t step = 1;
    if (begin_.key == INT64_MIN) begin_.key = 0;
    while (begin_.key < end_.key - step) {
      begin_ = {begin_.key + step, INT64_MIN};
      const Place stepped = begin_;
      if (read(true)) return stretches;
      if (begin_ == stepped) {
        step = step > INT64_MAX / 4 ? step : step * 2;
      } else {
        ++stretches;
        step = 1;
      }
    }
    return stretches;
  }

 private:
  /// The rows between begin_ and end_, upwards or downwards; moves that end to where it has come.
  bool read(bool is_up) {
    std::optional<bool> is_done;
    while (!is_done) {
      is_done = read_some(is_up);
      between_();
    }
    return *is_done;
  }

  /// Nothing: there may be more.
  std::optional<bool> read_some(bool is_up) {
    const std::optional<Place> ahead = std::exchange(ahead_, std::nullopt);
    const std::int64_t version_before = std::exchange(version_, version());
    first_.reset();
    std::optional<bool> is_done = true;
    if (is_up && has_second_) is_done = read_some(is_up, same_);
    if (is_done == true && !is_stopped_) is_done = read_some(is_up, is_up ? up_ : down_);
    // A key in a wrong place leads a search past others. Nobody has removed the row that was there.
    const bool is_led_past = ahead && first_ != ahead && version_ == version_before;
    if (!is_led_past || is_stopped_) return is_done;
    ahead_.reset();
    return false;
  }

  /// Another one when somebody has changed the database.
  std::int64_t version() {
    try {
      return database_.number("PRAGMA data_version");
    } catch (const SqliteError&) {
      return 0;
    }
  }

  std::optional<bool> read_some(bool is_up, const std::string& sql) {
    Place& last = is_up ? begin_ : end_;
    Place before_last = last;
    try {
      Statement rows(database_, sql);
      rows.bind(1, begin_.key).bind(3, end_.key);
      if (has_second_) rows.bind(2, begin_.second).bind(4, end_.second);
      for (int i = 0;; ++i) {
        if (!rows.step()) return true;
        const Place place{rows.number(0), rows.number(1)};
        read_errors_ = 0;
        if (!first_) first_ = place;
        if (is_up ? place <= last : place >= last) {
          // One of the two is in a wrong place, or a row appears twice. Both are given, but reading
          // cannot continue from a wrong one.
          if (!give(rows, place)) return true;
          passed_ = {last, place};
          last = before_last;
          return false;
        }
        // Only looked at: the next rows are looked for by the last one that is given here.
        if (i == rows_at_once) {
          ahead_ = place;
          return std::nullopt;
        }
        before_last = std::exchange(last, place);
        if (!give(rows, place)) return true;
      }
    } catch (const SqliteError& error) {
      if (is_taking_) throw;
      if (error.is_read_error() && ++read_errors_ < read_attempts) return std::nullopt;
      read_errors_ = 0;
      if (error.is_read_error() && is_read_error_passed_on_) throw;
      return false;
    }
  }

  /// False: no more is wanted.
  bool give(Statement& row, const Place& place) {
    if (place == passed_.first || place == passed_.second) return true;
    is_taking_ = true;
    is_stopped_ = !take_(row);
    is_taking_ = false;
    return !is_stopped_;
  }

  Database& database_;
  const std::function<bool(Statement&)>& take_;
  const std::function<void()>& between_;
  const bool has_second_;
  std::string same_;  ///< the others with the key of the last one
  const bool is_read_error_passed_on_;
  int read_errors_ = 0;  ///< one after the other
  std::string up_;
  std::string down_;
  bool is_taking_ = false;
  bool is_stopped_ = false;
  std::pair<Place, Place> passed_{before_all, before_all};  ///< out of order, and given
  std::optional<Place> ahead_;                              ///< the row that comes next
  std::optional<Place> first_;                              ///< that was read this time
  std::int64_t version_ = 0;
  Place begin_ = before_all;
  Place end_ = behind_all;
};

}  // namespace

std::uint64_t walk_table(Database& database, const KeyedTable& table, const std::string& columns,
                         const std::function<bool(Statement& row)>& take,
                         const std::function<void()>& between) {
  return Walk(database, table, columns, take, between).run();
}

}  // namespace outrider::sidecar
