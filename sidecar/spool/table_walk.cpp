#include "sidecar/spool/table_walk.hpp"

#include <compare>
#include <optional>

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
    const std::string second = table.second_key != nullptr ? table.second_key : "0";
    const auto sql = [&](const char* direction) {
      return "SELECT " + key + "," + second + "," + columns + " FROM " + table.name + " WHERE " +
             (has_second_
                  ? "(" + key + "," + second + ")>(?1,?2) AND (" + key + "," + second + ")<(?3,?4)"
                  : key + ">?1 AND " + key + "<?3") +
             " ORDER BY " + key + direction + (has_second_ ? "," + second + direction : "");
    };
    up_ = sql("");
    down_ = sql(" DESC");
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
    Place& last = is_up ? begin_ : end_;
    try {
      Statement rows(database_, is_up ? up_ : down_);
      rows.bind(1, begin_.key).bind(3, end_.key);
      if (has_second_) rows.bind(2, begin_.second).bind(4, end_.second);
      for (int i = 0; i < rows_at_once; ++i) {
        if (!rows.step()) return true;
        const Place place{rows.number(0), rows.number(1)};
        // In a damaged table a row may come twice.
        if (is_up ? place <= last : place >= last) return false;
        last = place;
        read_errors_ = 0;
        is_taking_ = true;
        const bool is_stopped = !take_(rows);
        is_taking_ = false;
        if (is_stopped) return true;
      }
      return std::nullopt;
    } catch (const SqliteError& error) {
      if (is_taking_) throw;
      if (error.is_read_error() && ++read_errors_ < read_attempts) return std::nullopt;
      read_errors_ = 0;
      if (error.is_read_error() && is_read_error_passed_on_) throw;
      return false;
    }
  }

  Database& database_;
  const std::function<bool(Statement&)>& take_;
  const std::function<void()>& between_;
  const bool has_second_;
  const bool is_read_error_passed_on_;
  int read_errors_ = 0;  ///< one after the other
  std::string up_;
  std::string down_;
  bool is_taking_ = false;
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
