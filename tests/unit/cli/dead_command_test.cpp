#include "spool_fixture.hpp"

namespace outrider::sidecar {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

class DeadCommand : public SpoolFixture {
 protected:
  void SetUp() override {
    using std::chrono::hours;
    bury("a", {.number = 1, .age = hours(3)});
    bury("a", {.number = 2, .topic = "users.new", .status = 422, .age = hours(2)});
    bury("b", {.number = 3, .reason = DeadReason::age, .status = 0, .age = hours(1)});
    bury("b", {.number = 4, .status = 404, .answer = "not\nhere"});
  }

  /// What `dead list` shows with these words.
  std::vector<int> listed(std::vector<std::string> words) {
    words.insert(words.begin(), {"dead", "list", "--json"});
    const Outcome result = outrider(std::move(words));
    EXPECT_EQ(result.status, exit_done) << result.err;
    std::vector<int> ids;
    for (std::size_t at = 0; (at = result.out.find("{\"id\":", at)) != std::string::npos; ++at) {
      ids.push_back(std::stoi(result.out.substr(at + 6)));
    }
    return ids;
  }

  std::vector<int> spooled() {
    return numbers_of(outrider({"spool", "export", "--state", "spooled"}).out);
  }
};

TEST_F(DeadCommand, ListShowsTheNewestLast) {
  const Outcome table = outrider({"dead", "list"});
  EXPECT_EQ(table.status, exit_done) << table.err;
  EXPECT_THAT(table.out, AllOf(HasSubstr("id  event"), HasSubstr("users.new    refused  422"),
                               HasSubstr("age      -       2")));
  EXPECT_THAT(outrider({"dead", "list", "--json", "--limit", "1"}).out,
              AllOf(HasSubstr(R"({"id":4,"event_id":"00000000-0000-0000-0000-000000000004",)"),
                    HasSubstr(R"("destination":"b","topic":"orders.paid","reason":"refused",)"),
                    HasSubstr(R"("status":404,"attempts":2,"first":")")));
}

TEST_F(DeadCommand, FiltersGoTogether) {
  EXPECT_THAT(listed({}), ElementsAre(1, 2, 3, 4));
  EXPECT_THAT(listed({"--destination", "a"}), ElementsAre(1, 2));
  EXPECT_THAT(listed({"--topic", "users.*"}), ElementsAre(2));
  EXPECT_THAT(listed({"--reason", "refused"}), ElementsAre(1, 2, 4));
  EXPECT_THAT(listed({"--status", "404"}), ElementsAre(4));
  EXPECT_THAT(listed({"--older-than", "90m"}), ElementsAre(1, 2));
  EXPECT_THAT(listed({"--newer-than", "90m"}), ElementsAre(3, 4));
  EXPECT_THAT(listed({"--older-than", "30m", "--newer-than", "150m"}), ElementsAre(2, 3));
  EXPECT_THAT(listed({"--limit", "2"}), ElementsAre(3, 4));
  EXPECT_THAT(listed({"--reason", "refused", "--destination", "b"}), ElementsAre(4));
  EXPECT_THAT(listed({"--status", "500"}), IsEmpty());
}

TEST_F(DeadCommand, ShowTellsEverything) {
  const Outcome shown = outrider({"dead", "show", "4"});
  EXPECT_EQ(shown.status, exit_done) << shown.err;
  EXPECT_THAT(shown.out,
              AllOf(HasSubstr("event:         00000000-0000-0000-0000-000000000004\n"),
                    HasSubstr("destination:   b\n"), HasSubstr("status:        404\n"),
                    HasSubstr("attempts:      2\n"), HasSubstr("answer:        not\\x0ahere\n"),
                    HasSubstr("{\"id\":\"00000000-0000-0000-0000-000000000004\",\"topic\":"
                              "\"orders.paid\",\"time\":\"1970-01-01T00:00:01.000000000Z\","
                              "\"data\":{\"n\":4}}\n")));
  const Outcome none = outrider({"dead", "show", "9"});
  EXPECT_EQ(none.status, exit_failed);
  EXPECT_THAT(none.err, HasSubstr("there is no dead letter 9"));
}

TEST_F(DeadCommand, RetryPutsThemBehindTheEventsOfTheirDestination) {
  spool("a", 10, 11);
  const Outcome retried = outrider({"dead", "retry", "--destination", "a"});
  EXPECT_EQ(retried.status, exit_done) << retried.err;
  EXPECT_EQ(retried.out, "put back 2 dead letters\n");
  EXPECT_THAT(spooled(), ElementsAre(10, 11, 1, 2));
  EXPECT_THAT(listed({}), ElementsAre(3, 4));
  EXPECT_EQ(outrider({"spool", "verify"}).status, exit_done);
  // A running sidecar counts them in.
  transact([&] {
    const auto returned = store->take_returned();
    ASSERT_EQ(returned.size(), 1U);
    EXPECT_EQ(returned[0].first, store->destination("a"));
    EXPECT_EQ(returned[0].second.events, 2U);
  });
}

TEST_F(DeadCommand, RetryAndDropTakeIdsToo) {
  EXPECT_EQ(outrider({"dead", "retry", "4", "2"}).out, "put back 2 dead letters\n");
  EXPECT_THAT(spooled(), ElementsAre(2, 4));
  EXPECT_EQ(outrider({"dead", "drop", "1"}).out, "dropped 1 dead letter\n");
  EXPECT_THAT(listed({}), ElementsAre(3));
  EXPECT_EQ(outrider({"dead", "drop", "--all"}).out, "dropped 1 dead letter\n");
  EXPECT_EQ(outrider({"dead", "drop", "--all"}).out, "dropped 0 dead letters\n");
  EXPECT_EQ(outrider({"spool", "verify"}).status, exit_done);
  EXPECT_THAT(spooled(), ElementsAre(2, 4));
}

TEST_F(DeadCommand, RetryWarnsOfADestinationThatIsNotConfigured) {
  const Outcome retried = outrider_with_config({"dead", "retry", "--all"});
  EXPECT_EQ(retried.status, exit_done);
  EXPECT_THAT(retried.err, AllOf(HasSubstr("warning: b is not configured in "),
                                 Not(HasSubstr("a is not configured"))));
  EXPECT_EQ(outrider_with_config({"dead", "drop", "--all"}).err, "");
}

TEST_F(DeadCommand, DryRunChangesNothing) {
  close();
  const std::string before = read_file();
  const auto names = files();
  for (const char* command : {"retry", "drop"}) {
    const Outcome dry = outrider({"dead", command, "--destination", "a", "--dry-run"});
    EXPECT_EQ(dry.status, exit_done) << dry.err;
    EXPECT_THAT(dry.out, AllOf(HasSubstr("users.new"), Not(HasSubstr("404")),
                               HasSubstr(std::string("would ") + command + " 2 dead letters\n")));
  }
  EXPECT_EQ(read_file(), before);
  EXPECT_EQ(files(), names);
}

TEST_F(DeadCommand, AnIdThatIsNotThereChangesNothing) {
  const Outcome missing = outrider({"dead", "drop", "1", "9"});
  EXPECT_EQ(missing.status, exit_failed);
  EXPECT_THAT(missing.err, HasSubstr("there is no dead letter 9"));
  EXPECT_EQ(outrider({"dead", "drop", "1", "--destination", "b"}).status, exit_failed);
  EXPECT_EQ(outrider({"dead", "drop", "--destination", "c"}).status, exit_failed);
  EXPECT_THAT(listed({}), ElementsAre(1, 2, 3, 4));
}

TEST_F(DeadCommand, WithoutAChoiceNothingIsChanged) {
  for (const char* command : {"retry", "drop"}) {
    const Outcome refused = outrider({"dead", command});
    EXPECT_EQ(refused.status, exit_usage);
    EXPECT_THAT(refused.err, HasSubstr("or --all"));
  }
  EXPECT_EQ(outrider({"dead", "list", "--reason", "refusd"}).status, exit_usage);
  EXPECT_EQ(outrider({"dead", "drop", "one"}).status, exit_usage);
  EXPECT_EQ(outrider({"dead", "show"}).status, exit_usage);
  EXPECT_THAT(listed({}), ElementsAre(1, 2, 3, 4));
}

TEST_F(DeadCommand, ASidecarReadsWhatWasPutBackOnlyWhenItHasTakenNote) {
  transact([] {});
  EXPECT_EQ(outrider({"dead", "retry", "1"}).status, exit_done);
  const DestinationId destination = number("SELECT id FROM destination WHERE name='a'");
  const ReadRequest all{.bytes_max = 1U << 20U};
  EXPECT_THAT(store->read(destination, all).blocks, IsEmpty());
  transact([&] { EXPECT_EQ(store->take_returned().size(), 1U); });
  EXPECT_EQ(store->read(destination, all).blocks.size(), 1U);
}

TEST_F(DeadCommand, ManyGoInSmallTransactions) {
  for (std::uint64_t n = 5; n <= 600; ++n) bury("a", {.number = n});
  EXPECT_EQ(outrider({"dead", "retry", "--all"}).out, "put back 600 dead letters\n");
  EXPECT_EQ(spooled().size(), 600U);
  EXPECT_EQ(outrider({"spool", "verify"}).status, exit_done);
}

}  // namespace
}  // namespace outrider::sidecar
