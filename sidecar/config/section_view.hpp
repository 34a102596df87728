// SectionView: the settings of one section, which of them were given and where, and which have
// already failed. Collects the problems and the warnings of the section.
//
// Used by the checks across options (validate.cpp, validate_http.cpp). Must not outlive the objects
// that it was made from.
#pragma once

#include <algorithm>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "sidecar/config/ini.hpp"
#include "sidecar/config/load.hpp"
#include "sidecar/config/messages.hpp"

namespace outrider::sidecar {

class SectionView {
 public:
  SectionView(LoadedConfig& loaded, const std::set<std::string, std::less<>>& failed,
              std::string title, Origin fallback, std::vector<Problem>& problems)
      : loaded_(loaded),
        failed_(failed),
        title_(std::move(title)),
        fallback_(std::move(fallback)),
        problems_(problems) {}

  bool has_failed(const std::string& key) const { return failed_.contains(title_ + "." + key); }
  bool is_given(const std::string& key) const {
    return loaded_.origins.contains(title_ + "." + key);
  }

  /// The place of the value, or else the beginning of its section.
  Origin origin(const std::string& key, std::size_t index = 0) const {
    const auto found = loaded_.origins.find(title_ + "." + key);
    if (found != loaded_.origins.end() && index < found->second.size()) return found->second[index];
    const auto section = loaded_.origins.find(title_);
    return section != loaded_.origins.end() ? section->second.front() : fallback_;
  }
  void complain(const Origin& origin, std::string message) const {
    problems_.push_back({origin, std::move(message)});
  }
  /// The same of one value of a setting, which the message begins with.
  void complain_of(const std::string& key, const std::string& message,
                   std::size_t index = 0) const {
    complain(origin(key, index), key + ": " + message);
  }
  void warn(const Origin& origin, const std::string& message) const {
    loaded_.warnings.push_back(origin.text() + ": " + message);
  }
  void warn_of(const std::string& key, const std::string& message, std::size_t index = 0) const {
    warn(origin(key, index), key + ": " + message);
  }

  /// Complains at the place of whichever of the two was written when `low` is more than `high`.
  template <typename T, typename Format>
  void must_not_exceed(const std::string& low_key, T low, const std::string& high_key, T high,
                       Format format) const {
    if (has_failed(low_key) || has_failed(high_key) || low <= high) return;
    complain(origin(is_given(low_key) ? low_key : high_key),
             low_key + " (" + format(low) + ") exceeds " + high_key + " (" + format(high) +
                 "); lower " + low_key + " or raise " + high_key);
  }

  void must_be_distinct(const std::string& key, const std::vector<std::string>& values) const {
    if (has_failed(key)) return;
    for (std::size_t i = 0; i < values.size(); ++i) {
      const auto end = values.begin() + static_cast<std::ptrdiff_t>(i);
      const auto same = std::find(values.begin(), end, values[i]);
      if (same == end) continue;
      const auto first = static_cast<std::size_t>(same - values.begin());
      complain(origin(key, i), key + " " + in_quotes(url_without_secrets(values[i])) +
                                   " is given twice; the first is at " + origin(key, first).text());
    }
  }

 private:
  LoadedConfig& loaded_;
  const std::set<std::string, std::less<>>& failed_;
  std::string title_;
  Origin fallback_;
  std::vector<Problem>& problems_;
};

}  // namespace outrider::sidecar
