// The option table as a whole: every row keeps the promises that are made of it.
#include "sidecar/config/options.hpp"

#include <algorithm>
#include <set>

#include <gtest/gtest.h>

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

TEST(ConfigOptions, TypesHaveNames) {
  EXPECT_EQ(name_of(DestinationType::http), "http");
  EXPECT_EQ(name_of(DestinationType::stdout_), "stdout");
  EXPECT_EQ(names_of(every_type), "any");
  EXPECT_EQ(names_of(only(DestinationType::http) | only(DestinationType::zmq)), "http or zmq");
}

}  // namespace
}  // namespace outrider::sidecar
