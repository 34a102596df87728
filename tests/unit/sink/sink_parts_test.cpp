#include <fstream>
#include <sstream>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "sidecar/sink/id_set.hpp"
#include "sidecar/sink/sink_faults.hpp"
#include "sidecar/sink/sink_tally.hpp"
#include "support/temp_dir.hpp"

namespace outrider::sidecar {
namespace {

using testing::ElementsAre;

std::vector<int> next_statuses(SinkFaults faults, int count) {
  std::vector<int> statuses;
  for (int i = 0; i < count; ++i) statuses.push_back(faults.next_status());
  return statuses;
}

TEST(SinkFaults, TheFirstRequestsFailAndThenNoMore) {
  const FaultPlan plan{.status = 204, .fail_status = 500, .fail_first = 2};
  EXPECT_THAT(next_statuses(SinkFaults(plan, 1), 4), ElementsAre(500, 500, 204, 204));
}

TEST(SinkFaults, AShareOfTheRequestsFailsAndTheSeedRepeatsIt) {
  const FaultPlan plan{.fail_rate = 0.2};
  const std::vector<int> statuses = next_statuses(SinkFaults(plan, 7), 10'000);
  EXPECT_EQ(statuses, next_statuses(SinkFaults(plan, 7), 10'000));
  EXPECT_NE(statuses, next_statuses(SinkFaults(plan, 8), 10'000));
  EXPECT_NEAR(static_cast<double>(std::count(statuses.begin(), statuses.end(), 503)), 2000, 200);
  EXPECT_THAT(next_statuses(SinkFaults({.fail_rate = 1}, 7), 2), ElementsAre(503, 503));
}

TEST(IdSet, KnowsEveryIdAgain) {
  IdSet ids;
  constexpr int count = 100'000;
  for (int i = 0; i < count; ++i) EXPECT_TRUE(ids.insert("id-" + std::to_string(i)));
  for (int i = 0; i < count; ++i) EXPECT_FALSE(ids.insert("id-" + std::to_string(i)));
  EXPECT_EQ(ids.size(), static_cast<std::uint64_t>(count));
}

TEST(SinkTally, EventsOfAFailedRequestDoNotCount) {
  SinkTally tally({.fail_first = 1}, 1);
  ReceivedRequest request;
  request.add({.id = "a"}, false, false);
  request.add({.id = "b"}, false, false);
  request.body_bytes = 10;
  EXPECT_EQ(tally.take(request).value(), 503);
  EXPECT_EQ(tally.take(request).value(), 200);
  EXPECT_EQ(tally.take(request).value(), 200);
  tally.count_refused();
  EXPECT_EQ(summary_line(tally.counts()),
            "requests=4 events=4 ids=2 duplicates=2 bytes=20 failed=1 refused=1");

  tally.close();
  EXPECT_EQ(tally.take(request).value(), 503);
  EXPECT_EQ(tally.counts().requests, 4U);
}

TEST(SinkTally, EventsThatCannotBeWrittenDoNotCount) {
  SinkTally tally({}, 1);
  ASSERT_TRUE(tally.open_output("/dev/full").ok());
  ReceivedRequest request;
  request.add({.id = "a", .json = "{}"}, false, true);
  const auto taken = tally.take(request);
  ASSERT_FALSE(taken.ok());
  EXPECT_THAT(taken.error().message, testing::HasSubstr("No space left"));
  tally.count_refused();
  EXPECT_EQ(summary_line(tally.counts()),
            "requests=1 events=0 ids=0 duplicates=0 bytes=0 failed=0 refused=1");
}

TEST(SinkTally, HalfALineOfAProcessBeforeSpoilsOnlyItself) {
  const test::TempDir dir;
  std::ofstream(dir.file("o")) << "half";
  SinkTally tally({}, 1);
  ASSERT_TRUE(tally.open_output(dir.file("o")).ok());
  ReceivedRequest request;
  request.add({.id = "a", .json = "{}"}, false, true);
  EXPECT_EQ(tally.take(request).value(), 200);
  std::ostringstream text;
  text << std::ifstream(dir.file("o")).rdbuf();
  EXPECT_EQ(text.str(), "half\n{}\n");
}

}  // namespace
}  // namespace outrider::sidecar
