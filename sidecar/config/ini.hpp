// Reads INI text into sections and settings, nothing more: the loader knows the meaning of the
// names.
//
// A line is a `[section]`, a `key = value`, blank, or a comment. A comment is a line that begins
// with `#` or `;`, perhaps after blanks. There are no other comments, so a value may hold `#`, `;`,
// `=`, quotes and any bytes; blanks around it are cut off. Boost's reader would cut at `#`, which
// is why this one exists (docs/decisions.md). Used by the loader. Pure functions.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "sidecar/config/origin.hpp"

namespace outrider::sidecar {

struct IniSetting {
  std::string key;
  std::string value;
  Origin origin;
};

struct IniSection {
  std::string section;  ///< the part before the first dot: "destination"
  std::string name;     ///< the part after it: "audit"; empty without a dot
  Origin origin;
  std::vector<IniSetting> settings;

  /// As people write it: "destination.audit".
  std::string title() const { return name.empty() ? section : section + "." + name; }
};

struct Problem {
  Origin origin;
  std::string message;
};

/// The sections in the order of the text; lines that are none of the above become problems.
std::vector<IniSection> read_ini(std::string_view text, const std::string& file,
                                 std::vector<Problem>& problems);

}  // namespace outrider::sidecar
