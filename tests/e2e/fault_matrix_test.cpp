// The faults that a script tells in full: one row each.

#include <ctime>

#include "e2e/fault_fixture.hpp"

namespace outrider::test {
namespace {

const std::string elsewhere = "/elsewhere";

enum class EndsAs { delivered, dead };

struct Row {
  std::string name;
  std::string fault;  ///< for people
  Script script;
  int times;  ///< so many requests get the script, all later ones 200; 0: all of them get it
  EndsAs ends_as = EndsAs::delivered;
  Duplicates duplicates = Duplicates::none;
  std::string timeout = "20s";
};

std::ostream& operator<<(std::ostream& out, const Row& row) {
  return out << row.fault;
}

class FaultMatrix : public FaultTest, public testing::WithParamInterface<Row> {};

TEST_P(FaultMatrix, TheEventsEndWhereTheyShould) {
  const Row& row = GetParam();
  FaultReceiver receiver;
  if (row.times == 0) {
    receiver.script_requests({}, row.script);
  } else {
    receiver.script_requests(std::vector<Script>(static_cast<std::size_t>(row.times), row.script));
  }
  start(audit(receiver.url(), {}, {.request = row.timeout}));
  emit();
  if (row.ends_as == EndsAs::delivered) {
    expect_all_delivered(row.fault, receiver, row.duplicates);
  } else {
    expect_all_dead(row.fault, receiver);
  }
  for (const Arrival& arrival : receiver.arrivals()) {
    EXPECT_EQ(arrival.head.find(elsewhere), std::string::npos) << "a redirect was followed";
  }
}

Row scripted(const std::string& name, const std::string& script, int times,
             Duplicates duplicates = Duplicates::none, const std::string& timeout = "20s") {
  const NamedScript& named = *find_script(script);
  return {name, named.meaning, named.script, times, EndsAs::delivered, duplicates, timeout};
}

std::string http_date(std::chrono::seconds from_now) {
  const std::time_t time =
      std::chrono::system_clock::to_time_t(std::chrono::system_clock::now() + from_now);
  std::tm parts{};
  gmtime_r(&time, &parts);
  char text[40];
  std::strftime(text, sizeof text, "%a, %d %b %Y %H:%M:%S GMT", &parts);
  return text;
}

std::vector<Row> make_rows() {
  constexpr Duplicates maybe = Duplicates::allowed;
  std::vector<Row> rows = {
      scripted("ResetInRequestHead", "reset_in_request_head", 3),
      scripted("ResetInRequestBody", "reset_in_request_body", 3),
      scripted("ResetBeforeAnswer", "reset_before_answer", 2, maybe),
      scripted("CloseBeforeAnswer", "close_before_answer", 2, maybe),
      scripted("ResetInAnswerHead", "reset_in_answer_head", 2, maybe),
      scripted("ResetInAnswerBody", "reset_in_answer_body", 2),
      scripted("SlowHead", "slow_head", 2, maybe, "500ms"),
      scripted("SlowBody", "slow_body", 1, Duplicates::none, "1s"),
      scripted("NeverAnswers", "never_answers", 2, maybe, "500ms"),
      scripted("HugeBody", "huge_body", 0),
      scripted("HugeHead", "huge_head", 1),
      scripted("Garbage", "garbage", 2, maybe),
      scripted("LengthTooLong", "length_too_long", 0),
      scripted("LengthTooShort", "length_too_short", 0),
      scripted("Continue", "continue", 0),
      scripted("OtherInterimAnswers", "early_hints", 0),
      scripted("OnlyContinue", "only_continue", 1, maybe, "500ms"),
      scripted("Trailers", "trailers", 0),
      scripted("BrokenChunks", "broken_chunks", 0),
      scripted("ConnectionClose", "connection_close", 0),
  };
  for (const int status : {301, 302, 307, 308}) {
    const std::string number = std::to_string(status);
    rows.push_back({"Redirect" + number, number + " with a Location",
                    answer(status, "Location: " + elsewhere + "\r\n"), 0, EndsAs::dead});
  }
  for (const int status : {304, 400, 404, 409, 410, 422}) {
    const std::string number = std::to_string(status);
    rows.push_back({"Status" + number, number, answer(status), 0, EndsAs::dead});
  }
  for (const int status : {401, 403, 408, 425, 429, 500, 502, 503, 504}) {
    const std::string number = std::to_string(status);
    rows.push_back({"Status" + number, number + ", then 200", answer(status), 2});
  }
  for (const int status : {429, 503}) {
    const std::string number = std::to_string(status);
    rows.push_back({"RetryAfter" + number, number + " with Retry-After, then 200",
                    answer(status, "Retry-After: 1\r\n"), 1});
  }
  const auto by_date = [](const Arrival&) {
    return answer(503, "Retry-After: " + http_date(2s) + "\r\n");
  };
  rows.push_back({"RetryAfterDate",
                  "503 with Retry-After as a date, then 200",
                  {read_all(), choose(by_date)},
                  1});
  return rows;
}

INSTANTIATE_TEST_SUITE_P(Faults, FaultMatrix, testing::ValuesIn(make_rows()),
                         [](const auto& test) { return test.param.name; });

class Fault : public FaultTest {
 protected:
  void emit_large(long first) {
    const std::string padding(500'000, 'x');
    for (long n = first; n <= events; ++n) {
      ASSERT_EQ(client_->emit_wait(10s, "orders.paid", {{"n", n}, {"padding", padding}}),
                Status::ok);
    }
  }

  /// The connection that `script` is for carries megabytes, more than sockets hold: ten large
  /// events, which have gathered while the first one was on its way.
  void send_large_batch_to(FaultReceiver& receiver, const Script& script,
                           const std::string& timeout) {
    receiver.script_connections({{}, script});
    receiver.script_requests(
        {{read_all(), wait_for(150ms), send_text(answer_text(200, "Connection: close\r\n")),
          close_connection()}});
    start(
        audit(receiver.url(), "batch_bytes_max = 8MiB\nconcurrency_max = 1", {.request = timeout}));
    emit(1, 1);
    emit_large(2);
  }
};

TEST_F(Fault, Refused) {
  FaultReceiver receiver;
  receiver.refuse();
  start(audit(receiver.url()));
  emit();
  wait_until_it_fails();
  receiver.listen();
  expect_all_delivered("refused, then listening", receiver, Duplicates::none);
}

TEST_F(Fault, NeverAccepts) {
  FaultReceiver receiver;
  receiver.ignore();
  start(audit(receiver.url(), {}, {.connect = "300ms"}));
  emit();
  wait_until_it_fails();
  receiver.listen();
  expect_all_delivered("listens and never accepts, then does", receiver, Duplicates::none);
}

TEST_F(Fault, ResetOnAccept) {
  FaultReceiver receiver;
  receiver.script_connections(std::vector<Script>(3, Script{reset_connection()}));
  start(audit(receiver.url()));
  emit();
  expect_all_delivered("RST on accept", receiver, Duplicates::none);
}

TEST_F(Fault, ReadsTheRequestAtACrawl) {
  FaultReceiver receiver;
  Script crawl;
  for (std::size_t bytes = 100'000; bytes <= 1'500'000; bytes += 100'000) {
    crawl.push_back(read_bytes(bytes));
    crawl.push_back(wait_for(30ms));
  }
  send_large_batch_to(receiver, crawl, "20s");
  expect_all_delivered("a body of megabytes that is read at a crawl", receiver, Duplicates::none);
}

TEST_F(Fault, StopsReadingTheRequest) {
  FaultReceiver receiver;
  send_large_batch_to(receiver, {read_bytes(1), hang()}, "500ms");
  expect_all_delivered("a body of megabytes that is no longer read, then is", receiver,
                       Duplicates::allowed);
}

TEST_F(Fault, ResetInALargeRequestBody) {
  FaultReceiver receiver;
  receiver.script_requests(std::vector<Script>(2, {read_body(100'000), reset_connection()}));
  start(audit(receiver.url(), "batch_bytes_max = 8MiB"));
  emit_large(1);
  expect_all_delivered("RST in the middle of a body of megabytes", receiver, Duplicates::none);
}

TEST_F(Fault, KeepAliveRace) {
  FaultReceiver receiver;
  const Script taken_and_closed = find_script("keep_alive_race")->script;
  const Script reset_when_used = {reset_connection()};
  receiver.script_requests(
      {answer(), reset_when_used, taken_and_closed, answer(), reset_when_used, taken_and_closed});
  start(audit(receiver.url()));
  for (long n = 1; n <= events; ++n) {
    emit(n, n);
    wait_until_taken(receiver, n);
  }
  expect_all_delivered("idle connection closed as the next request comes", receiver,
                       Duplicates::none);
}

TEST_F(Fault, ATooLargeBatchIsSplitDownToTheOneEventThatIsTooLarge) {
  FaultReceiver receiver;
  const auto by_size = [](const Arrival& arrival) {
    const bool has_poison = values_of(arrival.body, "\"n\":7", ",}").size() == 1 &&
                            arrival.body.find("\"n\":7}") != std::string::npos;
    const bool is_large = values_of(arrival.body, "\"n\":", ",}").size() > 3;
    return answer(has_poison || is_large ? 413 : 200);
  };
  receiver.script_requests({}, {read_all(), choose(by_size)});
  start(audit(receiver.url()));
  emit();
  wait_until_taken(receiver, events - 1);
  EXPECT_EQ(sidecar_->stop(), 3) << sidecar_->err();
  const Tally tally = tally_of(receiver);
  EXPECT_EQ(tally.ledger.delivered, 19U);
  EXPECT_EQ(tally.ledger.dead, 1U);
  EXPECT_EQ(tally.received, 19U);
  EXPECT_EQ(distinct(taken(receiver)).count(7), 0U);
  write_table_line("413 for more than 3 events, and for event 7 alone", "split, 7 is dead", tally);
}

TEST_F(Fault, OneOfTwoUrlsRefuses) {
  FaultReceiver well;
  FaultReceiver sick;
  sick.refuse();
  start(audit(sick.url(), "url = " + well.url()));
  emit();
  expect_all_delivered("one of two urls refused", well, Duplicates::none);
}

TEST_F(Fault, OneOfTwoUrlsNeverAnswers) {
  FaultReceiver well;
  FaultReceiver sick;
  sick.script_requests({}, find_script("never_answers")->script);
  start(audit(sick.url(), "url = " + well.url(), {.request = "500ms"}));
  emit();
  expect_all_delivered("one of two urls never answers", well, Duplicates::allowed);
  EXPECT_FALSE(sick.arrivals().empty());
}

TEST_F(Fault, AnAnswerThatNeverComesDoesNotHoldUpTheStop) {
  FaultReceiver receiver;
  receiver.script_requests({}, find_script("never_answers")->script);
  start(audit(receiver.url()) + "[shutdown]\nlinger = 500ms\n");
  emit();
  ASSERT_TRUE(eventually([&] { return receiver.counts().requests > 0; })) << sidecar_->err();
  const auto begin = std::chrono::steady_clock::now();
  EXPECT_EQ(sidecar_->stop(), 3) << sidecar_->err();
  // The request itself may take 20 s.
  EXPECT_LT(std::chrono::steady_clock::now() - begin, 10s);
  const Tally tally = tally_of(receiver);
  EXPECT_EQ(tally.ledger.left, 20U);
  write_table_line("SIGTERM, and the request in flight is never answered", "left at the stop",
                   tally);
}

TEST_F(Fault, ADestinationThatNeverComesBackIsCountedAtTheEnd) {
  FaultReceiver receiver;
  receiver.script_requests({}, answer(503));
  start(audit(receiver.url()) + "[shutdown]\nlinger = 500ms\n");
  emit();
  wait_until_it_fails();
  EXPECT_EQ(sidecar_->stop(), 3) << sidecar_->err();
  const Tally tally = tally_of(receiver);
  EXPECT_EQ(tally.ledger.left, 20U);
  EXPECT_EQ(tally.ledger.dead, 0U);
  EXPECT_EQ(tally.received, 0U);
  write_table_line("503 for ever", "left at the stop", tally);
}

}  // namespace
}  // namespace outrider::test
