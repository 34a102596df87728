// The faults that a script tells in full: one row each.

#include "e2e/fault_fixture.hpp"

namespace outrider::test {
namespace {

enum class EndsAs { delivered, dead };

struct Row {
  std::string name;
  std::string fault;  ///< for people
  Script script;
  int times;  ///< so many requests get the script, all later ones 200; 0: all of them get it
  EndsAs ends_as = EndsAs::delivered;
  Duplicates duplicates = Duplicates::none;
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
  start(audit(receiver.url()));
  emit();
  if (row.ends_as == EndsAs::delivered) {
    expect_all_delivered(row.fault, receiver, row.duplicates);
  } else {
    expect_all_dead(row.fault, receiver);
  }
}

Row scripted(const std::string& name, const std::string& script, int times,
             Duplicates duplicates = Duplicates::none) {
  const NamedScript& named = *find_script(script);
  return {name, named.meaning, named.script, times, EndsAs::delivered, duplicates};
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
      scripted("SlowHead", "slow_head", 2, maybe),
      scripted("SlowBody", "slow_body", 1),
      scripted("NeverAnswers", "never_answers", 2, maybe),
      scripted("HugeBody", "huge_body", 0),
      scripted("HugeHead", "huge_head", 1),
      scripted("Garbage", "garbage", 2, maybe),
      scripted("LengthTooLong", "length_too_long", 0),
      scripted("LengthTooShort", "length_too_short", 0),
      scripted("Continue", "continue", 0),
      scripted("OtherInterimAnswers", "early_hints", 0),
      scripted("OnlyContinue", "only_continue", 1, maybe),
      scripted("Trailers", "trailers", 0),
      scripted("BrokenChunks", "broken_chunks", 0),
      scripted("ConnectionClose", "connection_close", 0),
  };
  for (const int status : {301, 302, 307, 308}) {
    const std::string number = std::to_string(status);
    rows.push_back({"Redirect" + number, number + " with a Location",
                    answer(status, "Location: /elsewhere\r\n"), 0, EndsAs::dead});
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
  return rows;
}

INSTANTIATE_TEST_SUITE_P(Faults, FaultMatrix, testing::ValuesIn(make_rows()),
                         [](const auto& test) { return test.param.name; });

class Fault : public FaultTest {};

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
  start(audit(receiver.url()));
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
