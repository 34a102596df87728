#include "sidecar/config/topic_cover.hpp"

#include <algorithm>
#include <set>

namespace outrider::sidecar {
namespace {

/// The rest of a pattern after the tokens that were examined; empty: nothing.
using Rest = std::string_view;
using Rests = std::vector<Rest>;

std::string_view first_token(Rest pattern) {
  return pattern.substr(0, pattern.find('.'));
}

Rest behind_first(Rest pattern) {
  const std::size_t dot = pattern.find('.');
  return dot == Rest::npos ? Rest() : pattern.substr(dot + 1);
}

class Cover {
 public:
  /// Each topic that `inner` takes from here is taken by one of `outer`.
  bool holds(const Rests& outer, Rest inner) {
    constexpr int steps_max = 100'000;
    if (outer.empty() || ++steps_ > steps_max) return false;
    if (inner.empty()) return is_at_end(outer);
    if (std::any_of(outer.begin(), outer.end(), [](Rest it) { return it == ">"; })) return true;
    const std::string_view token = first_token(inner);
    if (token != "*" && token != ">") return holds(step(outer, token), behind_first(inner));
    // Any token: each that is named somewhere, and one that is named nowhere.
    std::set<std::string_view> named = {other};
    for (const Rest rest : outer) named.insert(first_token(rest));
    return std::all_of(named.begin(), named.end(), [&](std::string_view next) {
      const Rests left = step(outer, next);
      if (token == "*") return holds(left, behind_first(inner));
      return is_at_end(left) && holds(left, inner);
    });
  }

 private:
  static constexpr std::string_view other = "?";  ///< is in no pattern

  static bool is_at_end(const Rests& outer) {
    return std::any_of(outer.begin(), outer.end(), [](Rest it) { return it.empty(); });
  }

  /// The rests of the patterns that match the token.
  static Rests step(const Rests& outer, std::string_view token) {
    Rests left;
    for (const Rest rest : outer) {
      const std::string_view first = first_token(rest);
      if (!rest.empty() && (first == "*" || first == token)) left.push_back(behind_first(rest));
    }
    return left;
  }

  int steps_ = 0;
};

}  // namespace

bool covers(const std::vector<std::string>& outer, std::string_view inner) {
  return Cover().holds(Rests(outer.begin(), outer.end()), inner);
}

}  // namespace outrider::sidecar
