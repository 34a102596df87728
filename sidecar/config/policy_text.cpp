#include "sidecar/config/policy_text.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <utility>

#include "sidecar/base/text.hpp"
#include "sidecar/base/units.hpp"
#include "sidecar/config/messages.hpp"

namespace outrider::sidecar {
namespace {

constexpr double rate_max = 1e12;
constexpr int status_min = 200;
constexpr int status_max = 599;

constexpr std::array<std::pair<std::string_view, Outcome>, 6> outcome_names = {{
    {"ok", Outcome::delivered},
    {"retry", Outcome::retry},
    {"split", Outcome::split},
    {"hold", Outcome::hold},
    {"disable", Outcome::disable},
    {"dead", Outcome::dead},
}};

constexpr std::array<std::pair<std::string_view, double>, 3> periods_s = {
    {{"s", 1}, {"m", 60}, {"h", 3600}}};

/// A decimal number without sign or exponent, and the text after it.
bool split_decimal(std::string_view text, double& number, std::string_view& rest) {
  const auto [end, error] =
      std::from_chars(text.data(), text.data() + text.size(), number, std::chars_format::fixed);
  if (error != std::errc{} || text.front() < '0' || text.front() > '9') return false;
  rest = text.substr(static_cast<std::size_t>(end - text.data()));
  return true;
}

/// With at most this many decimal places, and no zeros at the end.
std::string format_number(double number, int places_max) {
  std::array<char, 512> digits{};
  const double scale = std::pow(10.0, places_max);
  const auto end = std::to_chars(digits.data(), digits.data() + digits.size(),
                                 std::round(number * scale) / scale, std::chars_format::fixed);
  return {digits.data(), end.ptr};
}

/// Dividing by the period and multiplying again costs the last few of a double's 15 digits.
std::string format_amount(double number) {
  constexpr int exact_digits = 12;
  const int digits = static_cast<int>(std::floor(std::log10(number))) + 1;
  return format_number(number, std::clamp(exact_digits - digits, 0, 15));
}

std::string format_bytes(double bytes) {
  const std::string amount = format_amount(bytes);
  const Result<std::uint64_t> whole = parse_count(amount);
  return whole.ok() ? format_size(whole.value()) : amount;
}

/// By second, minute or hour, whichever is shortest: 1 events/h is no whole number by second.
std::string format_rate(double per_s, const std::string& unit, std::string (*write)(double)) {
  std::string amount;
  std::string_view period;
  for (const auto& [name, seconds] : periods_s) {
    const std::string candidate = write(per_s * seconds);
    if (!period.empty() && candidate.size() >= amount.size()) continue;
    amount = candidate;
    period = name;
  }
  return amount + unit + "/" + std::string(period);
}

Error not_a_rate(std::string_view text) {
  return {in_quotes(text) +
          " is not a rate; write COUNT events/s, COUNT requests/s or SIZE/s (or by m, h), joined "
          "by commas, as in 500 events/s, 1MiB/s"};
}

/// One of the kinds, "10 requests/m".
Status add_rate(std::string_view text, RateLimits& rates) {
  const std::size_t slash = text.rfind('/');
  if (slash == std::string_view::npos) return not_a_rate(text);
  const auto* const period = std::find_if(periods_s.begin(), periods_s.end(), [&](const auto& row) {
    return row.first == trim(text.substr(slash + 1));
  });
  if (period == periods_s.end()) return not_a_rate(text);
  const std::string_view amount = trim(text.substr(0, slash));
  double number = 0;
  std::string_view unit;
  if (!split_decimal(amount, number, unit)) return not_a_rate(text);
  unit = trim(unit);
  double* limit = nullptr;
  if (unit == "events") {
    limit = &rates.events_per_s;
  } else if (unit == "requests") {
    limit = &rates.requests_per_s;
  } else {
    const Result<std::uint64_t> bytes = parse_size(amount);
    if (!bytes.ok() || (unit.empty() && amount.find(' ') != std::string_view::npos)) {
      return not_a_rate(text);
    }
    number = static_cast<double>(bytes.value());
    limit = &rates.bytes_per_s;
  }
  if (*limit != 0)
    return Error{in_quotes(text) +
                 " limits the same thing as an earlier part; write each limit once"};
  if (!(number > 0) || number > rate_max) return not_a_rate(text);
  *limit = number / period->second;
  return Nothing{};
}

bool parse_status(std::string_view text, int& status) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), status);
  return error == std::errc{} && end == text.data() + text.size() && status >= status_min &&
         status <= status_max;
}

Result<StatusAction> parse_status_action(std::string_view text) {
  std::vector<std::string_view> words;
  words.reserve(outcome_names.size());
  for (const auto& [name, outcome] : outcome_names) words.push_back(name);
  const std::size_t colon = text.find(':');
  const std::string_view statuses = trim(text.substr(0, colon));
  const std::size_t dash = statuses.find('-');
  StatusAction action;
  if (colon == std::string_view::npos ||
      !parse_status(trim(statuses.substr(0, dash)), action.first)) {
    return Error{in_quotes(text) +
                 " is not an action; write STATUS:ACTION or FIRST-LAST:ACTION with a status from "
                 "200 to 599, as in 409:ok, 520-527:retry"};
  }
  action.last = action.first;
  if (dash != std::string_view::npos &&
      (!parse_status(trim(statuses.substr(dash + 1)), action.last) || action.last < action.first)) {
    return Error{in_quotes(statuses) + " is not a range of statuses, as in 520-527"};
  }
  const std::string_view word = trim(text.substr(colon + 1));
  for (const auto& [name, outcome] : outcome_names) {
    if (name != word) continue;
    action.outcome = outcome;
    return action;
  }
  return Error{in_quotes(word) + " is not one of ok | retry | split | hold | disable | dead" +
               did_you_mean(word, words)};
}

}  // namespace

Result<double> parse_share(std::string_view text) {
  double percent = 0;
  std::string_view rest;
  if (!split_decimal(text.empty() ? "x" : text, percent, rest) || trim(rest) != "%") {
    return Error{in_quotes(text) + " is not a share; write a percentage, as in 20% or 0.5%"};
  }
  return std::round(percent * 1e4) / 1e6;
}

std::string format_share(double share) {
  constexpr int share_places_max = 4;
  return format_number(share * 100, share_places_max) + "%";
}

Result<RateLimits> parse_rates(std::string_view text) {
  RateLimits rates;
  for (const std::string& part : split(text, ',')) {
    const Status status = add_rate(part, rates);
    if (!status.ok()) return status.error();
  }
  if (rates == RateLimits{}) return not_a_rate(text);
  return rates;
}

std::string format_rates(const RateLimits& rates) {
  std::string text;
  const auto add = [&](double limit, const char* unit, std::string (*write)(double)) {
    if (limit != 0) text += (text.empty() ? "" : ", ") + format_rate(limit, unit, write);
  };
  add(rates.events_per_s, " events", format_amount);
  add(rates.requests_per_s, " requests", format_amount);
  add(rates.bytes_per_s, "", format_bytes);
  return text;
}

Result<std::vector<StatusAction>> parse_status_actions(std::string_view text) {
  std::vector<StatusAction> actions;
  for (const std::string& part : split(text, ',')) {
    const Result<StatusAction> action = parse_status_action(part);
    if (!action.ok()) return action.error();
    for (const StatusAction& other : actions) {
      if (action.value().last < other.first || other.last < action.value().first) continue;
      return Error{in_quotes(format_status_actions({other})) + " and " + in_quotes(part) +
                   " overlap; a status has one action"};
    }
    actions.push_back(action.value());
  }
  return actions;
}

std::string format_status_actions(const std::vector<StatusAction>& actions) {
  std::string text;
  for (const StatusAction& action : actions) {
    text += (text.empty() ? "" : ", ") + std::to_string(action.first);
    if (action.last != action.first) text += "-" + std::to_string(action.last);
    text += ":" + std::string(name_of(action.outcome));
  }
  return text;
}

std::string_view name_of(Outcome outcome) {
  for (const auto& [name, candidate] : outcome_names) {
    if (candidate == outcome) return name;
  }
  return {};
}

}  // namespace outrider::sidecar
