// Bulk answers that tell the fate of each event.

#include <sstream>

#include "unit/deliver/destination_fixture.hpp"

namespace outrider::sidecar {
namespace {

using namespace std::chrono_literals;

/// Reads answers such as "200 429 400"; everything else comes from the encoder it wraps.
class ItemEncoder final : public Encoder, private AnswerReader {
 public:
  void begin(Body& body) override { inner_->begin(body); }
  void add(const RecordView& record, Body& body) override { inner_->add(record, body); }
  void end(Body& body) override { inner_->end(body); }
  std::string_view content_type() const override { return inner_->content_type(); }
  const AnswerReader* answer_reader() const override { return this; }

 private:
  bool read(int status, std::string_view answer, std::uint32_t events,
            std::vector<int>& statuses) const override {
    if (status != 200) return false;
    std::istringstream words{std::string(answer)};
    for (int item = 0; words >> item;) statuses.push_back(item);
    return statuses.size() == events;
  }

  std::unique_ptr<Encoder> inner_ = make_encoder({.format = "ndjson"});
};

class ItemsTest : public DestinationFixture {
 protected:
  ItemsTest() { build(std::make_unique<ItemEncoder>()); }
  void answer(const std::string& items, int status = 200) {
    Completion completion;
    completion.id = transport->open.begin()->first;
    completion.result = AttemptResult::answered;
    completion.status = status;
    completion.answer = items;
    transport->complete(completion);
    turn();
  }
};

TEST_F(ItemsTest, OnlyTheFailedEventsFollowTheirOwnRule) {
  accept(1, 3);
  turn();
  answer("200 429 400");
  EXPECT_EQ(ledger().delivered, 1U);
  EXPECT_EQ(ledger().dead_total(), 1U);
  EXPECT_EQ(ledger().queued, 1U);
  EXPECT_EQ(log.count("reason=refused events=1"), 1);
  sleep_until_due();
  EXPECT_EQ(sent(1), Numbers{2});
  EXPECT_NE(transport->started[1].batch_id, transport->started[0].batch_id);
  answer("201");
  EXPECT_EQ(ledger().delivered, 2U);
  EXPECT_TRUE(destination->is_drained());
}

TEST_F(ItemsTest, ARefusedCredentialHoldsItsEventsAndNoneIsGivenUp) {
  clock.advance(48h);  // the machine has run for longer than anything is tried
  config.retry_attempts_max = 1;
  build(std::make_unique<ItemEncoder>());
  accept(1, 3);
  turn();
  answer("200 401 200");
  EXPECT_EQ(ledger().queued, 1U);
  for (int i = 0; i < 3; ++i) {
    sleep_until_due();
    answer("403");
  }
  EXPECT_EQ(ledger().dead_total(), 0U);
  EXPECT_EQ(log.count("error destination refuses our credentials"), 1);
  sleep_until_due();
  answer("200");
  EXPECT_EQ(ledger().delivered, 3U);
}

TEST_F(ItemsTest, AnItemThatIsTooLargeOrGoneIsDeadAndNothingElseHappens) {
  accept(1, 3);
  turn();
  answer("413 410 200");
  EXPECT_EQ(ledger().dead_for(DeadReason::too_large), 1U);
  EXPECT_EQ(ledger().dead_for(DeadReason::refused), 1U);
  accept(4, 4);
  turn();
  EXPECT_EQ(transport->open.size(), 1U) << "the destination goes on";
}

TEST_F(ItemsTest, WhenAllAreToBeTriedAgainTheDestinationHasFailed) {
  accept(1, 1);
  for (int i = 0; i < 5; ++i) {
    sleep_until_due();
    answer("503");
  }
  EXPECT_TRUE(destination->pacer().is_open());
}

TEST_F(ItemsTest, AYesThatCannotBeReadIsNone) {
  accept(1, 3);
  turn();
  answer("200", 200);
  EXPECT_EQ(ledger().delivered, 0U);
  EXPECT_EQ(ledger().queued, 3U);
  EXPECT_EQ(log.count("cannot be read"), 1);
  sleep_until_due();
  answer("200 200 200", 200);
  EXPECT_EQ(ledger().delivered, 3U);
}

TEST_F(ItemsTest, AYesThatWasCutIsNone) {
  accept(1, 3);
  turn();
  Completion cut;
  cut.id = transport->open.begin()->first;
  cut.result = AttemptResult::answered;
  cut.status = 200;
  cut.answer = "200 200 200";
  cut.is_cut = true;
  transport->complete(cut);
  turn();
  EXPECT_EQ(ledger().delivered, 0U);
  EXPECT_EQ(ledger().queued, 3U);
  EXPECT_EQ(log.count("the answer for each event is incomplete"), 1);
}

TEST_F(ItemsTest, ANoThatCannotBeReadSpeaksOfTheWhole) {
  accept(1, 3);
  turn();
  answer("nonsense", 400);
  EXPECT_EQ(ledger().dead_total(), 3U);
}

TEST_F(ItemsTest, TheWholeAnswerIsAskedForOnlyWhenItIsRead) {
  accept(1, 1);
  turn();
  EXPECT_TRUE(transport->started[0].wants_answer);
  build();
  accept(1, 1);
  turn();
  EXPECT_FALSE(transport->started[0].wants_answer);
}

TEST_F(ItemsTest, AnItemThatASplitIsSaidOfIsTriedAgainUntilOthersSucceed) {
  config.status_actions = {{503, 503, Outcome::split}};
  build(std::make_unique<ItemEncoder>());
  accept(1, 2);
  turn();
  answer("503 503");
  ASSERT_EQ(ledger().dead_total(), 0U);
  sleep_until_due();
  answer("503 503");
  ASSERT_EQ(ledger().dead_total(), 0U) << "nothing else has succeeded";
  accept(3, 3);
  for (int i = 0; i < 100 && ledger().delivered == 0; ++i) {
    if (transport->open.empty()) sleep_until_due();
    answer(sent(transport->started.size() - 1) == Numbers{3} ? "200" : "503 503");
  }
  sleep_until_due();
  ASSERT_FALSE(transport->open.empty());
  answer("503 200");
  EXPECT_EQ(ledger().dead_for(DeadReason::refused), 1U) << "not for its size";
  EXPECT_EQ(ledger().delivered, 2U);
}

}  // namespace
}  // namespace outrider::sidecar
