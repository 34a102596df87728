// The option table: one row per option. Everything about an option comes from its row: the parser,
// the command line, and its text in `--help`, docs/configuration.md and `outrider check`.
//
// Used by the loader, the reference page and `outrider check`. To add an option: a field with its
// default in config.hpp and a row in options.cpp. Thread: read-only after its first use.
#pragma once

#include <algorithm>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "sidecar/base/result.hpp"
#include "sidecar/config/config.hpp"

namespace outrider::sidecar {

/// The structs that a setting may write to. `destination` and `schedule` are those whose section is
/// being read; other sections leave them alone.
struct Target {
  Config& config;
  DestinationConfig& destination;
  ScheduleConfig& schedule;
};

/// The same for reading.
struct Source {
  const Config& config;
  const DestinationConfig& destination;
  const ScheduleConfig& schedule;
};

inline constexpr std::size_t option_values_max = 1024;  ///< lines of one key, parts of one list

/// How an option's text becomes a field and back; made by the functions in bindings.hpp.
struct Binding {
  std::string kind;   ///< for people: "duration", "pub | push"
  std::string range;  ///< for people: "1 to 256"; empty: no limits
  bool is_repeatable = false;

  /// Checks the value and stores it; `is_first` makes a repeatable option begin again.
  std::function<Status(Target, std::string_view value, bool is_first)> parse;
  /// The field as it would be written in the file, one element a line.
  std::function<std::vector<std::string>(const Source&)> format;
};

/// The destination types that have an option.
using Types = std::uint8_t;
constexpr Types only(DestinationType type) {
  return static_cast<Types>(1U << static_cast<unsigned>(type));
}
inline constexpr Types every_type = 0xff;

/// Rows that belong together; those of one group follow each other.
struct OptionGroup {
  std::string_view section;     ///< "ingest", "destination", ...
  std::string_view group = {};  ///< a heading of the reference; empty: the section has no groups
  std::string_view group_doc = {};
};

/// From when on a reload applies a changed value.
enum class Reload : std::uint8_t {
  live,          ///< at once
  new_requests,  ///< for bodies and requests that are made from then on
  restart,       ///< never: the whole reload is refused
};

struct Option : OptionGroup {
  std::string_view key;
  Types types;  ///< outside of "destination" always every_type
  Reload reload;
  Binding value;
  std::string_view doc;  ///< the one text about it; its first sentence is enough for a table

  std::string_view summary() const { return doc.substr(0, summary_bytes()); }
  /// The other sentences.
  std::string_view details() const { return doc.substr(std::min(summary_bytes() + 1, doc.size())); }

 private:
  std::size_t summary_bytes() const {
    const std::size_t end = doc.find(". ");
    return end == std::string_view::npos ? doc.size() : end + 1;
  }
};
const std::vector<Option>& options();

/// The row, or null.
const Option* find_option(std::string_view section, std::string_view key);
std::vector<std::string_view> keys_of(std::string_view section);

struct Section {
  std::string_view name;
  std::string_view title;  ///< as it is in the file: "destination.NAME"
  std::string_view doc;
  /// For sections that there can be several of: the key that each must have to be one.
  std::string_view first_key = {};

  bool is_repeatable() const { return !first_key.empty(); }
};
const std::vector<Section>& sections();

/// The section with this name that there can be several of, or null.
const Section* find_repeatable(std::string_view name);

/// "http", "file", ...
std::string_view name_of(DestinationType type);
/// "live", "new requests", "restart".
std::string_view name_of(Reload reload);
/// The mark of the option's row, or that of a destination of this type.
Reload reload_of(const Option& option, DestinationType type);
/// "http or zmq"; "any" for every_type.
std::string names_of(Types types);

/// Whether the design names it but this version does not support it; empty value: the whole key,
/// empty key: the whole section.
bool is_for_later(std::string_view section, std::string_view key, std::string_view value);

}  // namespace outrider::sidecar
