// The files that are made from the option table are checked in, and are fresh.
#include "sidecar/config/reference.hpp"

#include <fstream>
#include <sstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "sidecar/config/options.hpp"
#include "support/places.hpp"
#include "unit/config/config_support.hpp"

namespace outrider::sidecar {
namespace {

using testing::HasSubstr;

std::string file_text(const std::string& path) {
  std::ostringstream text;
  text << std::ifstream(path).rdbuf();
  return text.str();
}

const std::string root = test::source_path("");

TEST(ConfigReference, ThePageIsFresh) {
  EXPECT_TRUE(file_text(root + "/docs/configuration.md") == configuration_reference())
      << "docs/configuration.md is not what the option table says; run ./dev docs";
}

TEST(ConfigReference, TheExampleIsFresh) {
  EXPECT_TRUE(file_text(root + "/systemd/outrider.conf") == configuration_example())
      << "systemd/outrider.conf is not what the option table says; run ./dev docs";
}

TEST(ConfigReference, TheExampleLoadsWithoutErrorsAndWarnings) {
  const LoadResult result = load_config(root + "/systemd/outrider.conf");
  EXPECT_EQ(test::messages(result), "");
  EXPECT_TRUE(result.loaded.warnings.empty());
  ASSERT_EQ(result.loaded.config.destinations.size(), 1U);
  EXPECT_EQ(result.loaded.config.destinations[0].name, "collector");
}

TEST(ConfigReference, EveryOptionIsInPageExampleAndHelp) {
  for (const Option& option : options()) {
    const std::string key(option.key);
    EXPECT_THAT(configuration_reference(), HasSubstr("| `" + key + "` |"));
    EXPECT_THAT(configuration_example(), testing::ContainsRegex("\n#?" + key + " = "));
    EXPECT_THAT(configuration_help(), HasSubstr("." + key + " "));
    for (const std::string& text :
         {configuration_reference(), configuration_example(), configuration_help()}) {
      EXPECT_THAT(text, HasSubstr(std::string(option.group)));
    }
  }
}

}  // namespace
}  // namespace outrider::sidecar
