#include "sidecar/cron/cron_parser.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <string>
#include <utility>
#include <vector>

#include "sidecar/base/text.hpp"

namespace outrider::sidecar {
namespace {

using Fields = CronExpression::Fields;

constexpr std::array<std::string_view, 12> month_names = {"jan", "feb", "mar", "apr", "may", "jun",
                                                          "jul", "aug", "sep", "oct", "nov", "dec"};
constexpr std::array<std::string_view, 7> weekday_names = {"sun", "mon", "tue", "wed",
                                                           "thu", "fri", "sat"};

struct FieldKind {
  std::string_view name;
  unsigned min;
  unsigned max;
  const std::string_view* names;  ///< of min and the numbers after it
  std::size_t name_count;
  std::uint64_t Fields::*set;
  bool Fields::*begins_with_star;
};
constexpr std::array<FieldKind, 5> field_kinds = {{
    {"minute", 0, 59, nullptr, 0, &Fields::minutes, nullptr},
    {"hour", 0, 23, nullptr, 0, &Fields::hours, &Fields::hours_begin_with_star},
    {"day of month", 1, 31, nullptr, 0, &Fields::days, &Fields::days_begin_with_star},
    {"month", 1, 12, month_names.data(), month_names.size(), &Fields::months, nullptr},
    {"day of week", 0, 7, weekday_names.data(), weekday_names.size(), &Fields::weekdays,
     &Fields::weekdays_begin_with_star},
}};
constexpr unsigned sunday_again = 7;
constexpr std::string_view last_day = "l";

constexpr std::array<std::pair<std::string_view, std::string_view>, 7> words = {{
    {"@yearly", "0 0 1 1 *"},
    {"@annually", "0 0 1 1 *"},
    {"@monthly", "0 0 1 * *"},
    {"@weekly", "0 0 * * 0"},
    {"@daily", "0 0 * * *"},
    {"@midnight", "0 0 * * *"},
    {"@hourly", "0 * * * *"},
}};

std::string quoted(std::string_view text) {
  constexpr std::size_t shown_bytes_max = 80;
  return "\"" + printable(text, shown_bytes_max) + "\"";
}

Error not_allowed(const FieldKind& kind, std::string_view part) {
  std::string values = std::to_string(kind.min) + " to " + std::to_string(kind.max);
  if (kind.name_count != 0) {
    values +=
        ", " + std::string(kind.names[0]) + " to " + std::string(kind.names[kind.name_count - 1]);
  }
  if (kind.set == &Fields::days) values += ", L for the month's last";
  return Error{std::string(kind.name) + ": " + quoted(part) + " is not allowed; write * or " +
               values + ", lists as in 1,3, ranges as in 1-5, steps as in */2 or 1-5/2"};
}

/// A number of at most two digits, as all are.
bool parse_number(std::string_view text, unsigned& number) {
  if (text.empty() || text.size() > 2) return false;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  return error == std::errc{} && end == text.data() + text.size();
}

bool parse_value(const FieldKind& kind, std::string_view text, unsigned& value) {
  const std::string lower = to_lower(text);
  const std::string_view* end = kind.names + kind.name_count;
  const std::string_view* name = std::find(kind.names, end, lower);
  if (name != end) {
    value = kind.min + static_cast<unsigned>(name - kind.names);
    return true;
  }
  return parse_number(text, value) && value >= kind.min && value <= kind.max;
}

/// One part of a list: *, 5, 1-5, each but the second with a step perhaps.
Status add_part(const FieldKind& kind, std::string_view part, std::uint64_t& set) {
  const std::size_t slash = part.find('/');
  const std::string_view range = part.substr(0, slash);
  unsigned first = kind.min;
  unsigned last = kind.max;
  if (range != "*") {
    const std::size_t dash = range.find('-');
    if (!parse_value(kind, range.substr(0, dash), first)) return not_allowed(kind, part);
    if (dash == std::string_view::npos) {
      last = first;
      if (slash != std::string_view::npos) {
        return Error{std::string(kind.name) + ": " + quoted(part) +
                     " has a step after a single value; write */N or a range, as in " +
                     std::to_string(first) + "-" + std::to_string(kind.max) + "/N"};
      }
    } else if (!parse_value(kind, range.substr(dash + 1), last)) {
      return not_allowed(kind, part);
    }
    if (kind.max == sunday_again && last == 0 && first != 0) last = sunday_again;
    if (first > last) {
      return Error{std::string(kind.name) + ": the range " + quoted(range) +
                   " runs backwards; write it as two, joined by a comma"};
    }
  }
  unsigned step = 1;
  if (slash != std::string_view::npos) {
    if (!parse_number(part.substr(slash + 1), step) || step == 0 || step > kind.max) {
      return Error{std::string(kind.name) + ": the step of " + quoted(part) +
                   " is not a number from 1 to " + std::to_string(kind.max)};
    }
  }
  for (unsigned value = first; value <= last; value += step) set |= 1ULL << value;
  return Nothing{};
}

Status parse_field(const FieldKind& kind, std::string_view text, Fields& fields) {
  if (kind.begins_with_star != nullptr) fields.*kind.begins_with_star = text.starts_with('*');
  std::uint64_t& set = fields.*kind.set;
  for (std::size_t begin = 0; begin <= text.size();) {
    const std::size_t end = std::min(text.find(',', begin), text.size());
    const std::string_view part = text.substr(begin, end - begin);
    if (kind.set == &Fields::days && to_lower(part) == last_day) {
      fields.has_last_day = true;
    } else if (Status added = add_part(kind, part, set); !added.ok()) {
      return added;
    }
    begin = end + 1;
  }
  if (kind.max == sunday_again) {
    if ((set >> sunday_again) != 0) set |= 1U;
    set &= ~(1ULL << sunday_again);
  }
  return Nothing{};
}

/// The fields between blanks.
std::vector<std::string_view> fields_of(std::string_view text) {
  constexpr std::string_view blanks = " \t";
  std::vector<std::string_view> fields;
  for (std::size_t begin = text.find_first_not_of(blanks); begin != std::string_view::npos;) {
    const std::size_t end = std::min(text.find_first_of(blanks, begin), text.size());
    fields.push_back(text.substr(begin, end - begin));
    begin = text.find_first_not_of(blanks, end);
  }
  return fields;
}

Error wrong_count(std::string_view text, std::size_t count) {
  std::string message = quoted(text) + " has " + std::to_string(count) +
                        (count == 1 ? " field" : " fields") +
                        "; write five: minute, hour, day of month, month, day of week, as in "
                        "30 3 * * mon-fri";
  if (count == 6) message += " (there is none for seconds)";
  return Error{message};
}

}  // namespace

Result<Fields> parse_cron_fields(std::string_view text) {
  const std::string_view trimmed = trim(text);
  if (trimmed.starts_with('@')) {
    std::string known;
    for (const auto& [word, expression] : words) {
      if (to_lower(trimmed) == word) return parse_cron_fields(expression);
      known += (known.empty() ? "" : ", ") + std::string(word);
    }
    return Error{quoted(trimmed) + " is not one of " + known};
  }
  const std::vector<std::string_view> texts = fields_of(trimmed);
  if (texts.size() != field_kinds.size()) return wrong_count(trimmed, texts.size());
  Fields fields;
  for (std::size_t i = 0; i < field_kinds.size(); ++i) {
    const Status parsed = parse_field(field_kinds[i], texts[i], fields);
    if (!parsed.ok()) return parsed.error();
  }
  return fields;
}

}  // namespace outrider::sidecar
