// Faults of HTTP/2: streams and connections that end without an answer.

#include "e2e/fault_fixture.hpp"
#include "e2e/servers.hpp"

namespace outrider::test {
namespace {

enum class FrameType : char { headers = 1, reset_stream = 3, settings = 4, goaway = 7 };
enum class ErrorCode : char { none = 0, internal = 2, refused_stream = 7 };

std::string frame(FrameType type, char stream, const std::string& payload) {
  return std::string{0, 0,     static_cast<char>(payload.size()), static_cast<char>(type), 0, 0, 0,
                     0, stream} +
         payload;
}

std::string number(char value) {
  return {0, 0, 0, value};
}

/// Greets, lets the first request come, sends `text` and closes.
Script greet_and_send(std::string text) {
  return {read_body(0),   send_text(frame(FrameType::settings, 0, "")),
          wait_for(50ms), send_text(std::move(text)),
          wait_for(50ms), close_connection()};
}

class Http2Fault : public FaultTest {
 protected:
  static std::string over_http2(const std::string& url, const std::string& ca_file,
                                const std::string& more = {}) {
    return audit(url, "http_version = 2\nca_file = " + ca_file + "\n" + more);
  }

  /// HTTP/2 with that fault, and then HTTP/1.1 without. Only the latter counts as received.
  void expect_delivered_after(const std::string& fault, const std::string& text) {
    TlsOptions tls{
        .certificate = make_certificate(dir_.path()), .chooses_http2 = true, .refuses_http1 = true};
    FaultReceiver receiver({.tls = tls});
    receiver.script_requests({}, greet_and_send(text));
    start(over_http2(receiver.url(), tls.certificate.cert_file));
    emit();
    const auto speaks_http2 = [](const Arrival& arrival) {
      return arrival.head.starts_with("PRI * HTTP/2.0") && arrival.fate != Fate::open;
    };
    EXPECT_TRUE(eventually([&] { return std::ranges::any_of(receiver.arrivals(), speaks_http2); }));
    tls.chooses_http2 = tls.refuses_http1 = false;
    receiver.use_tls(tls);
    receiver.end_connections();
    receiver.script_requests({});
    expect_all_delivered(fault, receiver, Duplicates::none);
  }
};

TEST_F(Http2Fault, GoawayThatTookNoStream) {
  expect_delivered_after("HTTP/2: GOAWAY that took no stream",
                         frame(FrameType::goaway, 0, number(0) + number(char(ErrorCode::none))));
}

TEST_F(Http2Fault, GoawayWithAnError) {
  expect_delivered_after(
      "HTTP/2: GOAWAY with an error",
      frame(FrameType::goaway, 0, number(0) + number(char(ErrorCode::internal))));
}

TEST_F(Http2Fault, RefusedStream) {
  expect_delivered_after(
      "HTTP/2: stream reset, refused",
      frame(FrameType::reset_stream, 1, number(char(ErrorCode::refused_stream))));
}

TEST_F(Http2Fault, StreamResetByAnError) {
  expect_delivered_after("HTTP/2: stream reset, internal error",
                         frame(FrameType::reset_stream, 1, number(char(ErrorCode::internal))));
}

/// libcurl loses such a status. Here it is lost each time, and HTTP/1.1 alone has what comes whole.
TEST_F(Http2Fault, AStatusAndAResetInOneWrite) {
  const TlsOptions tls{.certificate = make_certificate(dir_.path()), .chooses_http2 = true};
  FaultReceiver receiver({.tls = tls});
  const auto is_http2 = [](const Arrival& arrival) {
    return arrival.head.starts_with("PRI * HTTP/2.0");
  };
  std::string status_200 = frame(FrameType::headers, 1, "\x88");
  status_200[4] = 4;  // the flag that all headers are there
  const std::string answers =
      status_200 + frame(FrameType::reset_stream, 1, number(char(ErrorCode::internal)));
  receiver.script_requests({}, {choose([&](const Arrival& arrival) {
                             return is_http2(arrival) ? greet_and_send(answers) : answer();
                           })});
  start(over_http2(receiver.url(), tls.certificate.cert_file));
  emit();
  wait_until_taken(receiver);
  EXPECT_EQ(sidecar_->stop(), 0) << sidecar_->err();
  const Tally tally = tally_of(receiver);
  EXPECT_EQ(tally.ledger.delivered, 20U);
  EXPECT_EQ(tally.received, 20U);
  EXPECT_EQ(tally.distinct, 20U);
  EXPECT_TRUE(std::ranges::any_of(receiver.arrivals(), is_http2));
  write_table_line("HTTP/2: a status and a reset in one write, each time", "delivered", tally);
}

/// nghttpd cannot hand requests on: it tells of their headers, one event a request.
TEST_F(Http2Fault, NghttpdDownAndUpAgain) {
  const Certificate certificate = make_certificate(dir_.path());
  const std::string port = free_port();
  write_file(dir_.file("events"), "ok\n");
  const auto run_nghttpd = [&] {
    auto process = std::make_unique<Process>(std::vector<std::string>{
        "/usr/bin/stdbuf", "-oL", "/usr/sbin/nghttpd", "-v", "--address=127.0.0.1", "-d",
        dir_.path(), port, certificate.key_file, certificate.cert_file});
    EXPECT_TRUE(eventually([&] { return is_listening(port); }));
    return process;
  };
  std::vector<std::string> keys;
  const auto keys_of = [](const Process& process) {
    return values_of(process.text(), ") idempotency-key: ", "\n\x1b");
  };
  auto nghttpd = run_nghttpd();
  start("[destination.audit]\ntype = http\nhttp_version = 2\nurl = https://127.0.0.1:" + port +
        "/events\nca_file = " + certificate.cert_file +
        "\nretry_initial = 20ms\nretry_max = 100ms\nbatch_events_max = 1\n");
  emit(1, 10);
  // An answer that the sidecar has not read when the server dies is asked for again.
  const auto has_ten_answers = [&] {
    Process stats(
        {outrider_binary(), "stats", "--json", "--admin", "unix://" + dir_.file("admin.sock")});
    return stats.wait() == 0 && stats.text().find("\"delivered\":10") != std::string::npos;
  };
  EXPECT_TRUE(eventually(has_ten_answers)) << sidecar_->err();
  nghttpd->signal(SIGTERM);
  EXPECT_TRUE(nghttpd->wait());
  keys = keys_of(*nghttpd);
  emit(11, events);
  wait_until_it_fails();
  nghttpd = run_nghttpd();
  EXPECT_TRUE(eventually([&] { return keys_of(*nghttpd).size() == 10; })) << sidecar_->err();
  EXPECT_EQ(sidecar_->stop(), 0) << sidecar_->err();
  std::ranges::copy(keys_of(*nghttpd), std::back_inserter(keys));
  const Tally tally{sidecar_->ledger("audit"), keys.size(),
                    std::set<std::string>(keys.begin(), keys.end()).size()};
  EXPECT_EQ(tally.ledger.delivered, 20U);
  EXPECT_EQ(tally.received, 20U);
  EXPECT_EQ(tally.distinct, 20U);
  write_table_line("HTTP/2: nghttpd down and up again", "delivered", tally);
}

}  // namespace
}  // namespace outrider::test
