#include "sidecar/config/explain.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "sidecar/config/options.hpp"
#include "support/manual_clock.hpp"
#include "unit/config/config_support.hpp"

namespace outrider::sidecar {
namespace {

using test::load;
using testing::EndsWith;
using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

/// At noon of 2026-01-31, a Saturday, in UTC.
std::string explain(const LoadedConfig& loaded, Listing listing = Listing::given) {
  return explain(loaded, test::ManualClock().now().wall, listing);
}

/// The line that begins so, without the blanks between setting and origin.
std::string line_of(const std::string& text, const std::string& beginning) {
  const std::size_t begin = text.find(beginning);
  if (begin == std::string::npos) return "no line: " + beginning;
  std::string line = text.substr(begin, text.find('\n', begin) - begin);
  const std::size_t gap = line.find("   ");
  if (gap != std::string::npos)
    line.erase(gap, line.find_last_of(' ', line.rfind("   ") + 3) - gap);
  return line;
}

const char* const three_settings =
    "[destination.a]\nurl = https://h.example/e\nheader = X: 1\nheader = Y: 2\n";

TEST(ConfigExplain, ShowsEverySettingThatIsGivenWithItsOriginAndItsText) {
  const std::string text = explain(load(three_settings, {"--destination.a.timeout=2s"}));
  EXPECT_THAT(text, StartsWith("[destination.a]\n"));
  EXPECT_EQ(line_of(text, "url = "), "url = https://h.example/e a.conf:2");
  EXPECT_EQ(line_of(text, "header = Y"), "header = Y: 2 a.conf:4");
  EXPECT_THAT(text,
              HasSubstr("a.conf:4\n      Request header; may contain {fields} as in `url`.\n"));
  EXPECT_EQ(line_of(text, "timeout = "), "timeout = 2s command line");
  EXPECT_THAT(text, Not(HasSubstr("queue_events_max")));
  EXPECT_THAT(text, Not(HasSubstr("[log]")));
  EXPECT_THAT(text, EndsWith("\nAll other settings have their defaults; --all lists them.\n"));
}

TEST(ConfigExplain, ShowsDefaultsWhenAskedTo) {
  const std::string text = explain(load(three_settings), Listing::all);
  EXPECT_THAT(text, HasSubstr("\n[destination.a]\n"));
  EXPECT_EQ(line_of(text, "url = "), "url = https://h.example/e a.conf:2");
  EXPECT_EQ(line_of(text, "queue_events_max"), "queue_events_max = 100000 default");
  EXPECT_EQ(line_of(text, "ca_file"), "ca_file = (not set) default");
  EXPECT_EQ(line_of(text, "linger"), "linger = 10s default");
  // Keys of other types are not shown.
  EXPECT_THAT(text, Not(HasSubstr("send_events_max")));
  EXPECT_THAT(text, Not(HasSubstr("--all")));
}

TEST(ConfigExplain, EveryOptionIsListed) {
  const std::string text =
      explain(load("[destination.a]\nurl = https://h/\n[destination.b]\ntype = file\npath = /x\n"
                   "[destination.c]\ntype = zmq\nurl = tcp://localhost:1\n[spool]\npath = s.db\n"
                   "[schedule.s]\ncron = @daily\ntopic = t\n"),
              Listing::all);
  for (const Option& option : options()) {
    EXPECT_THAT(text, HasSubstr("\n  " + std::string(option.key) + " = "));
  }
}

TEST(ConfigExplain, NeverShowsSecrets) {
  const std::string text =
      explain(load("[destination.a]\nurl = https://h.example/e\nheader = X-Api-Key: s3cret\n"
                   "header = authorization: Bearer s3cret\nheader = X-Tenant: open\n"));
  EXPECT_THAT(text, Not(HasSubstr("s3cret")));
  EXPECT_THAT(text, HasSubstr("authorization: ***"));
  EXPECT_THAT(text, HasSubstr("X-Tenant: open"));
  const std::string with_query = explain(
      load("[destination.a]\nurl = https://h.example/e?sort=id&Api_Key=s3cret&token=s3cret#x\n"));
  EXPECT_THAT(with_query, Not(HasSubstr("s3cret")));
  EXPECT_THAT(explain(load("[destination.a]\nurl = https://h/\nproxy = http://p/?x=s3cret\n")),
              Not(HasSubstr("s3cret")));
  EXPECT_THAT(with_query, HasSubstr("url = https://h.example/e?sort=id&Api_Key=***&token=***#x "));
  EXPECT_THAT(explain(load("[destination.a]\nformat = payload\nurl = https://h/?key={key}\n")),
              HasSubstr("https://h/?key={key} "));
}

TEST(ConfigExplain, SaysWhatFollowsBelowTheSettings) {
  const std::string text = explain(load("[destination.a]\ntype = stdout\nbatch_delay = 7ms\n"));
  EXPECT_THAT(
      text, HasSubstr("waited this long.\n\n  In effect:\n  * Sends a batch at once while nothing "
                      "is in flight; otherwise when it has 500 events or 1MiB or\n    has waited "
                      "7ms.\n  * A failed batch"));
  EXPECT_THAT(text, HasSubstr("\nAll destinations:\n  * A shutdown waits up to 10s "));
}

TEST(ConfigExplain, ShowsNoSecretWhereverItStands) {
  const std::string text = explain(
      load("[destination.a]\nurl = https://h/x?sig=s3cret-1\nheader = X-Api-Key: s3cret-2\n"
           "header = X-Forward: Bearer s3cret-3\nformat = cloudevents\n"
           "cloudevents_source = https://me:s3cret-4@h/\nstatic_field = data.password: s3cret-5\n"
           "static_field = data.note: token=s3cret-6\n[spool]\npath = x\n[schedule.s]\n"
           "cron = @daily\ntopic = a.b\ndata = {\"password\": \"s3cret-7\", \"n\": 42}\n"));
  EXPECT_THAT(text, Not(HasSubstr("s3cret")));
  EXPECT_THAT(text, HasSubstr("42"));
}

TEST(ConfigExplain, EndsWithTheWarnings) {
  EXPECT_THAT(explain(load("[destination.a]\nurl = http://h.example/e\n")),
              HasSubstr("warning: a.conf:2: url"));
}

}  // namespace
}  // namespace outrider::sidecar
