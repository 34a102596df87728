// The text of `outrider stats`: the sidecar's answer as lines for people, and rates made of two
// answers.
//
// Used by stats_command. Pure functions. A value that is missing in the answer is "-", never 0. All
// text from the answer is made printable.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "sidecar/base/clock.hpp"
#include "sidecar/cli/json_view.hpp"

namespace outrider::sidecar {

/// How much a line should catch the eye.
enum class Severity : std::uint8_t { normal, warning, alarm };

struct StatsLine {
  std::string text;
  Severity severity = Severity::normal;
};

/// The counters of one answer that rates are made of.
struct StatsMark {
  std::string boot_id;
  MonoTime taken_at{};
  std::optional<std::uint64_t> accepted;           ///< by the ingest
  std::map<std::string, std::uint64_t> delivered;  ///< by destination
};
/// `read_at`: when the answer came.
StatsMark mark_of(const JsonView& answer, MonoTime read_at);

/// Events a second.
struct StatsRates {
  std::optional<double> accepted;
  std::map<std::string, double> delivered;
};
/// Empty where there is none: after a restart, or if both are of one snapshot.
StatsRates rates_between(const StatsMark& before, const StatsMark& now);

/// `rates`: null without --watch.
std::vector<StatsLine> stats_lines(const JsonView& answer, const StatsRates* rates);

std::string render(const std::vector<StatsLine>& lines, bool has_colours);

/// 1.5s, 59s, 2m5s, 3h10m, 2d4h
std::string rough_duration(double seconds);

}  // namespace outrider::sidecar
