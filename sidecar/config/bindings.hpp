// Bindings: how an option's text becomes a field of Config and back.
//
// Used by the option table (options.cpp) alone, one call a row:
// `duration(&DestinationConfig::timeout, 1ms, 1h)`. A new kind of value is one function here.
// Pure functions. Fails with: an Error that names the value and what is allowed.
#pragma once

#include <array>
#include <charconv>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "sidecar/base/text.hpp"
#include "sidecar/base/units.hpp"
#include "sidecar/config/messages.hpp"
#include "sidecar/config/options.hpp"
#include "sidecar/config/policy_text.hpp"

namespace outrider::sidecar {

/// A further condition on a value, besides its kind.
using Check = Status (*)(std::string_view value);

template <typename Owner, typename T>
using Member = T Owner::*;

/// `in` is a Target or a Source.
template <typename Owner>
auto& owner_in(const auto& in) {
  if constexpr (std::is_same_v<Owner, DestinationConfig>) {
    return in.destination;
  } else if constexpr (std::is_same_v<Owner, ScheduleConfig>) {
    return in.schedule;
  } else if constexpr (std::is_same_v<Owner, IngestConfig>) {
    return in.config.ingest;
  } else if constexpr (std::is_same_v<Owner, AdminConfig>) {
    return in.config.admin;
  } else if constexpr (std::is_same_v<Owner, SpoolConfig>) {
    return in.config.spool;
  } else {
    return in.config;
  }
}

/// The general one: a field, a way to read its text and a way to write it.
template <typename Owner, typename T, typename Read, typename Write>
Binding field(Member<Owner, T> member, std::string kind, Read read, Write write) {
  Binding binding;
  binding.kind = std::move(kind);
  binding.parse = [member, read](Target target, std::string_view value, bool) -> Status {
    Result<T> parsed = read(value);
    if (!parsed.ok()) return parsed.error();
    owner_in<Owner>(target).*member = std::move(parsed.value());
    return Nothing{};
  };
  binding.format = [member, write](const Source& source) {
    return std::vector<std::string>{write(owner_in<Owner>(source).*member)};
  };
  return binding;
}

template <typename Owner>
Binding text(Member<Owner, std::string> member, std::string kind, Check check) {
  const auto read = [check](std::string_view value) -> Result<std::string> {
    const Status status = check(value);
    if (!status.ok()) return status.error();
    return std::string(value);
  };
  return field(member, std::move(kind), read, [](const std::string& value) { return value; });
}

inline Error too_many_values() {
  return {"there are too many values; at most " + std::to_string(option_values_max) +
          " are allowed"};
}

/// Repeatable: one value a line, any number of lines.
template <typename Owner>
Binding lines(Member<Owner, std::vector<std::string>> member, std::string kind, Check check) {
  Binding binding;
  binding.kind = std::move(kind);
  binding.is_repeatable = true;
  binding.parse = [member, check](Target target, std::string_view value, bool is_first) -> Status {
    auto& values = owner_in<Owner>(target).*member;
    if (is_first) values.clear();
    if (values.size() >= option_values_max) return too_many_values();
    Status status = check(value);
    if (status.ok()) values.emplace_back(value);
    return status;
  };
  binding.format = [member](const Source& source) { return owner_in<Owner>(source).*member; };
  return binding;
}

/// One value, split at its commas.
template <typename Owner>
Binding comma_list(Member<Owner, std::vector<std::string>> member, std::string kind, Check check) {
  const auto read = [check](std::string_view value) -> Result<std::vector<std::string>> {
    std::vector<std::string> parts = split(value, ',');
    if (parts.size() > option_values_max) return too_many_values();
    for (const std::string& part : parts) {
      const Status status = check(part);
      if (!status.ok()) return status.error();
    }
    return parts;
  };
  const auto write = [](const std::vector<std::string>& parts) {
    std::string joined;
    for (const std::string& part : parts) joined += (joined.empty() ? "" : ", ") + part;
    return joined;
  };
  return field(member, std::move(kind), read, write);
}

template <typename Owner, typename T, typename Write>
Binding number(Member<Owner, T> member, std::string kind, T min, T max,
               Result<T> (*parse)(std::string_view), Write write) {
  const std::string range = write(min) + " to " + write(max);
  const auto read = [parse, min, max, range](std::string_view value) -> Result<T> {
    Result<T> parsed = parse(value);
    if (parsed.ok() && (parsed.value() < min || parsed.value() > max)) {
      return Error{in_quotes(value) + " is out of range; allowed: " + range};
    }
    return parsed;
  };
  Binding binding = field(member, std::move(kind), read, write);
  binding.range = range;
  return binding;
}

template <typename Owner>
Binding duration(Member<Owner, Duration> member, Duration min, Duration max) {
  return number(member, "duration", min, max, saturated_duration, format_duration);
}

template <typename Owner>
Binding size(Member<Owner, std::uint64_t> member, std::uint64_t min, std::uint64_t max) {
  return number(member, "size", min, max, saturated_size, format_size);
}

template <typename Owner>
Binding count(Member<Owner, std::uint64_t> member, std::uint64_t min, std::uint64_t max) {
  const auto write = [](std::uint64_t value) { return std::to_string(value); };
  return number(member, "count", min, max, saturated_count, write);
}

/// A percentage, kept as a number from 0 to 1.
template <typename Owner>
Binding share(Member<Owner, double> member, double min, double max) {
  return number(member, "percentage", min, max, parse_share, format_share);
}

/// Permission bits, in octal digits.
template <typename Owner>
Binding octal_mode(Member<Owner, std::uint32_t> member) {
  const auto read = [](std::string_view value) -> Result<std::uint32_t> {
    std::uint32_t mode = 0;
    const char* end = value.data() + value.size();
    const auto [at, error] = std::from_chars(value.data(), end, mode, 8);
    if (error != std::errc{} || at != end || mode > 0777) {
      return Error{in_quotes(value) +
                   " is not a file mode; write octal digits from 0 to 0777, as in 0660"};
    }
    return mode;
  };
  const auto write = [](std::uint32_t mode) {
    std::array<char, 8> digits{};
    const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), mode, 8);
    return "0" + std::string(digits.data(), end.ptr);
  };
  Binding binding = field(member, "octal mode", read, write);
  binding.range = "0 to 0777";
  return binding;
}

template <typename T>
using Choices = std::vector<std::pair<std::string_view, T>>;

/// One of a few words.
template <typename Owner, typename T>
Binding choice(Member<Owner, T> member, std::type_identity_t<Choices<T>> names) {
  std::vector<std::string_view> words;
  std::string kind;
  for (const auto& [word, value] : names) {
    words.push_back(word);
    kind += (kind.empty() ? "" : " | ") + std::string(word);
  }
  const auto read = [names, words, kind](std::string_view value) -> Result<T> {
    for (const auto& [word, candidate] : names) {
      if (word == value) return candidate;
    }
    return Error{in_quotes(value) + " is not one of " + kind + did_you_mean(value, words)};
  };
  const auto write = [names](T value) {
    for (const auto& [word, candidate] : names) {
      if (candidate == value) return std::string(word);
    }
    return std::string();
  };
  return field(member, kind, read, write);
}

template <typename Owner>
Binding flag(Member<Owner, bool> member) {
  return choice(member, {{"true", true}, {"false", false}});
}

}  // namespace outrider::sidecar
