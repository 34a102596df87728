// The option table as a whole: every row keeps the promises that are made of it.
#include "sidecar/config/options.hpp"

#include <algorithm>
#include <chrono>
#include <set>
#include <utility>

#include <gtest/gtest.h>

#include "sidecar/base/units.hpp"
#include "unit/config/config_support.hpp"

namespace outrider::sidecar {
namespace {

TEST(ConfigOptions, EveryRowIsDocumentedAndUnique) {
  std::set<std::string> names;
  for (const Option& option : options()) {
    const std::string name = std::string(option.section) + "." + std::string(option.key);
    EXPECT_TRUE(names.insert(name).second) << name;
    EXPECT_TRUE(option.doc.ends_with(".")) << name;
    EXPECT_FALSE(option.value.kind.empty()) << name;
    EXPECT_NE(option.types, 0) << name;
    EXPECT_TRUE(option.section == "destination" || option.types == every_type) << name;
    EXPECT_TRUE(std::any_of(sections().begin(), sections().end(), [&](const Section& section) {
      return section.name == option.section;
    })) << name;
    EXPECT_FALSE(is_for_later(option.section, option.key, "")) << name;
  }
}

/// The reference makes one table of each group, and `check` shows summaries alone.
TEST(ConfigOptions, GroupsAreTogetherAndSummariesAreShort) {
  std::set<std::pair<std::string_view, std::string_view>> done;
  std::pair<std::string_view, std::string_view> now;
  for (const Option& option : options()) {
    const std::pair group(option.section, option.group);
    EXPECT_TRUE(group == now || done.insert(group).second) << option.key;
    now = group;
    EXPECT_EQ(option.group.empty(), option.section != "destination") << option.key;
    EXPECT_LE(option.summary().size(), 100U) << option.key;
    EXPECT_TRUE(option.summary().ends_with(".")) << option.key;
    const std::string_view details = option.details();
    EXPECT_EQ(std::string(option.summary()) + (details.empty() ? "" : " ") + std::string(details),
              option.doc);
  }
}

TEST(ConfigOptions, EveryDefaultParsesToItself) {
  for (const Option& option : options()) {
    const std::vector<std::string> defaults = option.value.format({{}, {}, {}});
    Config config;
    DestinationConfig destination;
    ScheduleConfig schedule;
    bool is_first = true;
    for (const std::string& value : defaults) {
      if (value.empty()) continue;
      const Status status = option.value.parse({config, destination, schedule}, value, is_first);
      EXPECT_TRUE(status.ok()) << option.key << ": " << status.error().message;
      is_first = false;
    }
    EXPECT_EQ(option.value.format({config, destination, schedule}), defaults) << option.key;
  }
}

TEST(ConfigOptions, EveryRowIsReachableByFileAndCommandLine) {
  for (const Option& option : options()) {
    const bool is_repeatable = find_repeatable(option.section) != nullptr;
    const std::string title = std::string(option.section) + (is_repeatable ? ".a" : "");
    // "\x01" is good for no option, so what is said must be about the value.
    const LoadResult file =
        load_config_text("[" + title + "]\n" + std::string(option.key) + " = \x01\n", "a.conf");
    const LoadResult line = load_config_text(
        "[destination.a]\ntype = " +
            std::string(option.types == every_type                   ? "stdout"
                        : option.types & only(DestinationType::http) ? "http"
                                                                     : names_of(option.types)) +
            "\n[schedule.a]\n",
        "a.conf", {"--" + title + "." + std::string(option.key) + "=\x01"});
    EXPECT_EQ(test::messages(file).find("unknown"), std::string::npos) << option.key;
    EXPECT_EQ(test::messages(line).find("unknown"), std::string::npos) << option.key;
    EXPECT_TRUE(line.loaded.origins.contains(title + "." + std::string(option.key))) << option.key;
  }
}

/// The value next to `limit`, on its other side for `step` = -1; empty: there is none.
std::string beside(const Option& option, const std::string& limit, int step) {
  if (option.value.kind == "percentage") {
    if (step > 0) return "100.0001%";
    return limit == "0%" ? "-1%" : "0%";
  }
  const auto moved = [step](std::uint64_t number) {
    return step < 0 && number == 0 ? "-1"
                                   : std::to_string(static_cast<std::int64_t>(number) + step);
  };
  if (option.value.kind == "duration") {
    const auto limit_ms =
        std::chrono::duration_cast<std::chrono::milliseconds>(parse_duration(limit).value());
    return moved(static_cast<std::uint64_t>(limit_ms.count())) + "ms";
  }
  if (option.value.kind == "size") return moved(parse_size(limit).value());
  if (option.value.kind == "count") return moved(parse_count(limit).value());
  return step > 0 ? "01000" : "-1";
}

TEST(ConfigOptions, TheLimitsThatAnErrorNamesAreTheLimits) {
  int limited = 0;
  for (const Option& option : options()) {
    if (option.value.range.empty()) continue;
    ++limited;
    Config config;
    DestinationConfig destination;
    ScheduleConfig schedule;
    const Target target{config, destination, schedule};
    const auto error_of = [&](const std::string& value) {
      const Status status = option.value.parse(target, value, true);
      return status.ok() ? "" : status.error().message;
    };
    const std::string& range = option.value.range;
    const std::size_t to = range.find(" to ");
    ASSERT_NE(to, std::string::npos) << option.key;
    const std::string low = range.substr(0, to);
    const std::string high = range.substr(to + 4);
    EXPECT_EQ(error_of(low), "") << option.key;
    EXPECT_EQ(error_of(high), "") << option.key;
    EXPECT_NE(error_of(beside(option, low, -1)), "") << option.key;
    EXPECT_NE(error_of(""), "") << option.key;
    // However large: the error names what is allowed.
    const std::string unit = option.value.kind == "duration"     ? "h"
                             : option.value.kind == "percentage" ? "%"
                                                                 : "";
    for (const std::string& beyond : {beside(option, high, 1), "99999999999999999999" + unit}) {
      EXPECT_NE(error_of(beyond).find(high), std::string::npos)
          << option.key << ": " << error_of(beyond);
    }
  }
  EXPECT_GT(limited, 30);
}

TEST(ConfigOptions, TypesHaveNames) {
  EXPECT_EQ(name_of(DestinationType::http), "http");
  EXPECT_EQ(name_of(DestinationType::stdout_), "stdout");
  EXPECT_EQ(names_of(every_type), "any");
  EXPECT_EQ(names_of(only(DestinationType::http) | only(DestinationType::zmq)), "http or zmq");
}

}  // namespace
}  // namespace outrider::sidecar
