// How long a connection may take, and which one makes room.
#include "sidecar/admin/http_places.hpp"

#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace outrider::sidecar {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using namespace std::chrono_literals;

class HttpPlacesTest : public testing::Test {
 protected:
  MonoTime at(Duration since_begin) const { return begin_ + since_begin; }

  const MonoTime begin_ = MonoTime(1000s);
  std::vector<int> ended_;
  HttpPlaces places_{16, [this](int fd) { ended_.push_back(fd); }};
};

TEST_F(HttpPlacesTest, ARequestHasItsTimeHoweverSlowlyItComes) {
  EXPECT_EQ(places_.next_deadline(), never);
  places_.open(1, at(0s));
  places_.open(2, at(2s));
  EXPECT_EQ(places_.next_deadline(), at(5s));
  places_.end_late(at(4999ms));
  EXPECT_THAT(ended_, IsEmpty());
  places_.end_late(at(5s));
  EXPECT_THAT(ended_, ElementsAre(1));
  EXPECT_EQ(places_.next_deadline(), at(7s));
  places_.end_late(at(7s));
  EXPECT_THAT(ended_, ElementsAre(1, 2));
  EXPECT_EQ(places_.next_deadline(), never);
}

TEST_F(HttpPlacesTest, AnAnswerHasItsOwnTimeAndTheNextRequestToo) {
  HttpPlaces::Place* const place = places_.open(1, at(0s));
  places_.begin_answer(*place, 100, at(4s));
  EXPECT_EQ(places_.next_deadline(), at(14s));
  places_.end_answer(*place, at(6s));
  EXPECT_EQ(places_.next_deadline(), at(11s));
  places_.close(*place);
  EXPECT_TRUE(places_.is_empty());
}

TEST_F(HttpPlacesTest, WhoHasBeenIdleForLongestMakesRoom) {
  std::vector<HttpPlaces::Place*> open;
  for (int fd = 0; fd < 14; ++fd) open.push_back(places_.open(fd, at(1ms * fd)));
  EXPECT_THAT(ended_, IsEmpty());
  // The first has asked since, the second is being answered.
  places_.end_answer(*open[0], at(1s));
  places_.begin_answer(*open[1], 1, at(2ms));
  places_.open(14, at(2s));
  EXPECT_THAT(ended_, ElementsAre(2));
  // It is on its way out: one more has to go.
  places_.open(15, at(2s));
  EXPECT_THAT(ended_, ElementsAre(2, 3));
  EXPECT_TRUE(places_.is_full());
  places_.close(*open[2]);
  EXPECT_FALSE(places_.is_full());
}

TEST_F(HttpPlacesTest, AnswersThatNobodyReadsHaveALimitTogether) {
  const std::size_t third = HttpPlaces::unread_bytes_max / 3;
  std::vector<HttpPlaces::Place*> open;
  for (int fd = 0; fd < 5; ++fd) open.push_back(places_.open(fd, at(0s)));
  for (int fd = 0; fd < 3; ++fd) places_.begin_answer(*open[fd], third, at(1s));
  EXPECT_THAT(ended_, IsEmpty());
  places_.begin_answer(*open[3], third, at(2s));
  EXPECT_THAT(ended_, ElementsAre(0));
  // One that is read in time holds nothing any more.
  places_.end_answer(*open[1], at(3s));
  places_.begin_answer(*open[4], third, at(3s));
  EXPECT_THAT(ended_, ElementsAre(0));
}

TEST_F(HttpPlacesTest, ASingleAnswerMayBeLarger) {
  HttpPlaces::Place* const place = places_.open(1, at(0s));
  places_.begin_answer(*place, 2 * HttpPlaces::unread_bytes_max, at(1s));
  EXPECT_THAT(ended_, IsEmpty());
}

}  // namespace
}  // namespace outrider::sidecar
