// Receivers that speak out of turn: after an answer, on a connection that is idle then. What they
// say ends that connection, and counts for no request.

#include "e2e/fault_fixture.hpp"

namespace outrider::test {
namespace {

struct Speech {
  std::string name;
  std::string fault;  ///< for people
  std::string text;
  bool closes = false;
  bool is_tls = false;
};

std::ostream& operator<<(std::ostream& out, const Speech& speech) {
  return out << speech.fault;
}

std::vector<Speech> make_speeches() {
  struct Text {
    std::string name;
    std::string fault;
    std::string text;
  };
  std::vector<Text> texts;
  for (const int status : {200, 400, 401, 408, 410, 413}) {
    const std::string number = std::to_string(status);
    texts.push_back({"Second" + number, "a second answer, " + number, answer_text(status)});
  }
  texts.push_back({"Second503", "a second answer, 503 with Retry-After",
                   answer_text(503, "Retry-After: 3600\r\n")});
  texts.push_back({"Second429", "a second answer, 429 with Retry-After",
                   answer_text(429, "Retry-After: 3600\r\n")});
  texts.push_back({"LineEnd", "a line end", "\r\n"});
  texts.push_back({"Garbage", "what is not HTTP", std::string("\x00\xff\x16 garbage", 11)});
  texts.push_back({"HalfAnAnswer", "half an answer", "HTTP/1.1 200 OK\r\nContent-Le"});
  texts.push_back({"LateContinue", "100 Continue", "HTTP/1.1 100 Continue\r\n\r\n"});
  texts.push_back({"OpenEnd", "an answer without an end", "HTTP/1.1 200 OK\r\n\r\nand more"});
  std::vector<Speech> speeches;
  for (const Text& it : texts) {
    for (const bool closes : {false, true}) {
      for (const bool is_tls : {false, true}) {
        speeches.push_back({it.name + (closes ? "AndFin" : "") + (is_tls ? "OverTls" : ""),
                            "on an idle connection: " + it.fault + (closes ? ", FIN" : "") +
                                (is_tls ? ", TLS" : ""),
                            it.text, closes, is_tls});
      }
    }
  }
  return speeches;
}

class FaultSpeech : public FaultTest, public testing::WithParamInterface<Speech> {};

TEST_P(FaultSpeech, CountsForNoRequest) {
  const Speech& speech = GetParam();
  FaultReceiver::Options options;
  std::string more;
  if (speech.is_tls) {
    const Certificate certificate = make_certificate(dir_.path());
    options.tls = TlsOptions{certificate};
    more = "ca_file = " + certificate.cert_file;
  }
  FaultReceiver receiver(options);
  Script script = {read_all(), send_text(answer_text(200)), wait_for(2ms), speak(speech.text)};
  if (speech.closes) script.push_back(close_connection());
  receiver.script_requests({}, script);
  start(audit(receiver.url(), more));
  for (long n = 1; n <= events; ++n) {
    emit(n, n);
    ASSERT_TRUE(wait_until_taken(receiver, n));
    const auto spoken = static_cast<std::uint64_t>(n);
    ASSERT_TRUE(eventually([&] { return receiver.counts().spoken == spoken; }));
  }
  expect_all_delivered(speech.fault, receiver, Duplicates::none);
  EXPECT_EQ(sidecar_->err().find("destination is down"), std::string::npos);
  EXPECT_EQ(sidecar_->err().find("request failed"), std::string::npos);
}

INSTANTIATE_TEST_SUITE_P(Faults, FaultSpeech, testing::ValuesIn(make_speeches()),
                         [](const auto& test) { return test.param.name; });

class FaultSpeechHeld : public FaultTest, public testing::WithParamInterface<int> {};

/// A second answer right behind the first is held by the receiver's kernel until the first is
/// acknowledged; our kernel would do that with the next request, and so acknowledge both in one.
TEST_P(FaultSpeechHeld, CountsForNoRequest) {
  FaultReceiver::Options options;
  options.holds_small_writes = true;
  FaultReceiver receiver(options);
  const Script speech = {read_all(), send_text(answer_text(200)), speak(answer_text(GetParam()))};
  // Kernels acknowledge at once what comes first on a connection.
  receiver.script_requests(std::vector<Script>(events / 2, answer(200)), speech);
  start(audit(receiver.url()));
  for (long n = 1; n <= events; ++n) {
    emit(n, n);
    ASSERT_TRUE(wait_until_taken(receiver, n));
  }
  expect_all_delivered("behind the answer, held until that is acknowledged: a second answer, " +
                           std::to_string(GetParam()),
                       receiver, Duplicates::none);
  EXPECT_EQ(sidecar_->err().find("destination is down"), std::string::npos);
}

INSTANTIATE_TEST_SUITE_P(Faults, FaultSpeechHeld, testing::Values(200, 410));

}  // namespace
}  // namespace outrider::test
