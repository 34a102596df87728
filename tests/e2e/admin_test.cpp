// The admin interface of a running sidecar: what it answers, to whom, and what no client can do.

#include <sys/resource.h>
#include <sys/stat.h>

#include "e2e/admin_fixture.hpp"
#include "support/certificate.hpp"

namespace outrider::test {
namespace {

constexpr auto health_time_max = 100ms;
#ifdef OUTRIDER_SANITIZED  // which keeps what is freed for a while
constexpr long memory_more_max_kib = 256L << 10U;
#else
constexpr long memory_more_max_kib = 4096;
#endif
const std::string token = "0123456789abcdef0123";

// What it answers ---------------------------------------------------------------------------------

TEST_F(AdminTest, AnswersBesideTheFirstEndpoint) {
  start();
  struct stat found {};
  ASSERT_EQ(stat(path().c_str(), &found), 0);
  EXPECT_EQ(found.st_mode & 0777U, 0600U);
  const HttpReply health = get("/healthz");
  EXPECT_EQ(health.status, 200);
  EXPECT_EQ(health.body, "ok\n");
  EXPECT_EQ(get("/readyz").status, 200);
  const HttpReply stats = get("/v1/stats");
  EXPECT_EQ(stats.status, 200);
  EXPECT_NE(stats.body.find("\"name\":\"audit\""), std::string::npos) << stats.body;
  EXPECT_TRUE(stats.has("content-type: application/json\r\n"));
  EXPECT_TRUE(stats.has("cache-control: no-store\r\n"));
  EXPECT_EQ(sidecar_->stop(), 0);
  EXPECT_FALSE(std::filesystem::exists(path()));
  EXPECT_FALSE(std::filesystem::exists(path() + ".lock"));
}

TEST_F(AdminTest, OneConnectionTakesManyRequests) {
  start();
  HttpConnection connection = connect();
  // Two at once, the second without a body of its own.
  connection.send(get_health + "HEAD /v1/stats HTTP/1.1\r\nHost: localhost\r\n\r\n");
  EXPECT_EQ(connection.reply().value_or(HttpReply{}).body, "ok\n");
  const auto head = connection.reply(/*to_head=*/true);
  ASSERT_TRUE(head);
  EXPECT_EQ(head->status, 200);
  EXPECT_FALSE(head->has("content-length: 0\r\n"));
  for (int i = 0; i < 100; ++i) {
    const auto reply = connection.ask(i % 2 == 0 ? get_stats : get_health);
    ASSERT_TRUE(reply);
    EXPECT_EQ(reply->status, 200);
  }
}

TEST_F(AdminTest, ErrorsSayWhatIsWrong) {
  start();
  EXPECT_EQ(get("/nothing").status, 404);
  EXPECT_EQ(get("/healthz%00x").status, 400);
  EXPECT_EQ(get("/healthz%4").status, 400);
  EXPECT_EQ(get("/readyz?destination=%zz").status, 400);
  EXPECT_EQ(get("/%68ealthz").status, 200);
  EXPECT_EQ(get("/v1/destinations/%61udit").status, 200);
  EXPECT_EQ(get("/readyz?d%65stination=%61udit").status, 200);
  EXPECT_EQ(get("/readyz?destination=%6eone").status, 503);
  EXPECT_EQ(get("/readyz?destination=audit&destination=audit").status, 400);
  EXPECT_EQ(get("/v1/stats", "Host: localhost:evil\r\n").status, 400);
  EXPECT_EQ(get("/v1%2Fstats").status, 404);
  const HttpReply put = ask("PUT /v1/drain HTTP/1.1\r\nHost: localhost\r\n\r\n");
  EXPECT_EQ(put.status, 405);
  EXPECT_TRUE(put.has("allow: post\r\n"));
  const HttpReply bad = ask(post("/v1/log-level", "{\"level\": "));
  EXPECT_EQ(bad.status, 400);
  EXPECT_NE(bad.body.find("{\"error\":\"invalid JSON at byte"), std::string::npos) << bad.body;
  EXPECT_EQ(ask("GET /healthz HTTP/1.1\r\n\r\n").status, 400) << "HTTP/1.1 without a host";
  EXPECT_EQ(ask("POST /v1/drain HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\n"
                "Content-Length: 3\r\nContent-Type: application/json\r\n\r\n{}")
                .status,
            400);
}

TEST_F(AdminTest, ChangesAreLoggedWithWhoAskedForThem) {
  start();
  EXPECT_EQ(ask(post("/v1/log-level", "{\"level\": \"info\"}")).status, 200);
  const std::string who = "who=\"unix uid=" + std::to_string(getuid()) +
                          " pid=" + std::to_string(getpid()) + "\" result=done";
  EXPECT_TRUE(sidecar_->process().wait_for_line(who, Process::Stream::err)) << sidecar_->err();
  EXPECT_EQ(ask(post("/v1/drain", "")).status, 200);
  EXPECT_EQ(sidecar_->process().wait(), 0);
}

TEST_F(AdminTest, TheStartAndTheStopAreChanges) {
  start();
  const std::string started = get("/v1/changes").body;
  EXPECT_NE(started.find("\"kind\":\"life\",\"message\":\"ready\""), std::string::npos) << started;
  EXPECT_EQ(sidecar_->stop(), 0);
  EXPECT_NE(sidecar_->err().find("a stop was asked for by=SIGTERM"), std::string::npos)
      << sidecar_->err();
}

TEST_F(AdminTest, ReadOnlyIsReadOnly) {
  start("[admin]\nread_only = true\n");
  EXPECT_EQ(get("/v1/stats").status, 200);
  EXPECT_EQ(ask(post("/v1/drain", "")).status, 403);
  EXPECT_EQ(sidecar_->stop(), 0);
}

TEST_F(AdminTest, NoneTurnsItOff) {
  start("[admin]\nlisten = none\n");
  EXPECT_FALSE(std::filesystem::exists(path()));
}

// Who may -----------------------------------------------------------------------------------------

TEST_F(AdminTest, ABrowserBehindATunnelIsKeptOut) {
  start();
  EXPECT_EQ(get("/v1/stats", "Host: evil.example:8080\r\n").status, 403);
  EXPECT_EQ(get("/v1/stats", "Host: localhost\r\nOrigin: http://evil.example\r\n").status, 403);
  EXPECT_EQ(ask("POST /v1/drain HTTP/1.1\r\nHost: localhost\r\nContent-Type: text/plain\r\n"
                "Content-Length: 2\r\n\r\n{}")
                .status,
            415);
  EXPECT_EQ(get("/healthz", "Host: evil.example\r\n").status, 200);
  EXPECT_EQ(sidecar_->stop(), 0);
}

class AdminPortTest : public AdminTest {
 protected:
  void start_on_port(const std::string& more = "") {
    write_file(dir_.file("token"), token + "\n");
    chmod(dir_.file("token").c_str(), 0600);
    sidecar_.emplace(dir_, std::string(destination) + "[admin]\nlisten = tcp://127.0.0.1:0\n" +
                               "token_file = " + dir_.file("token") + "\n" + more);
    const std::string text = sidecar_->err();
    const std::string before = "admin interface listens at=tcp://127.0.0.1:";
    port_ = static_cast<int>(number_behind(text, before));
    ASSERT_GT(port_, 0) << text;
  }
  HttpReply get_on_port(const std::string& headers) const {
    HttpConnection connection(port_);
    return connection.ask("GET /v1/stats HTTP/1.1\r\nHost: 127.0.0.1\r\n" + headers + "\r\n")
        .value_or(HttpReply{});
  }

  int port_ = 0;
};

TEST_F(AdminPortTest, APortTakesATokenOnly) {
  start_on_port();
  EXPECT_EQ(get_on_port("Authorization: Bearer " + token + "\r\n").status, 200);
  const HttpReply refused = get_on_port("");
  EXPECT_EQ(refused.status, 401);
  EXPECT_TRUE(refused.has("www-authenticate: bearer realm=\"outrider\"\r\n"));
  EXPECT_EQ(get_on_port("Authorization: Bearer " + token + "x\r\n").status, 401);
  HttpConnection open(port_);
  EXPECT_EQ(open.ask(get_health).value_or(HttpReply{}).status, 200);
  EXPECT_FALSE(std::filesystem::exists(path()));
  EXPECT_EQ(sidecar_->err().find(token), std::string::npos);
}

TEST_F(AdminPortTest, WithACertificateItSpeaksTlsOnly) {
  const Certificate certificate = make_certificate(dir_.path());
  start_on_port("cert_file = " + certificate.cert_file + "\nkey_file = " + certificate.key_file +
                "\n");
  const Finished answer =
      run({"curl", "-sS", "--cacert", certificate.cert_file, "-H", "Authorization: Bearer " + token,
           "https://127.0.0.1:" + std::to_string(port_) + "/v1/stats"});
  EXPECT_EQ(answer.status, 0) << answer.err;
  EXPECT_NE(answer.out.find("\"name\":\"audit\""), std::string::npos) << answer.out;
  EXPECT_NE(get_on_port("Authorization: Bearer " + token + "\r\n").status, 200);
}

// A place that is taken ---------------------------------------------------------------------------

TEST_F(AdminTest, WithoutItsDefaultPlaceTheSidecarRuns) {
  write_file(path(), "mine");
  start();
  EXPECT_NE(sidecar_->err().find("there is no admin interface"), std::string::npos);
  EXPECT_EQ(sidecar_->stop(), 0);
  EXPECT_EQ(read_file(path()), "mine");
}

TEST_F(AdminTest, ASocketThatIsRemovedComesBack) {
  start();
  HttpConnection connected = connect();
  ASSERT_TRUE(connected.ask(get_health));
  std::filesystem::remove(path());
  ASSERT_TRUE(eventually([&] { return std::filesystem::exists(path()); }, 10s));
  EXPECT_TRUE(
      sidecar_->process().wait_for_line("it was restored, and clients reconnect "
                                        "endpoint=unix://" +
                                            path(),
                                        Process::Stream::err));
  EXPECT_EQ(get("/healthz").status, 200);
  struct stat found {};
  ASSERT_EQ(stat(path().c_str(), &found), 0);
  EXPECT_EQ(found.st_mode & 0777U, 0600U);
  EXPECT_NE(get("/v1/changes").body.find("it was restored"), std::string::npos);
  EXPECT_EQ(sidecar_->stop(), 0);
  EXPECT_FALSE(std::filesystem::exists(path()));
}

TEST_F(AdminTest, ASecondSidecarInTheFolderIsToldFromTheFirst) {
  start();
  const auto write_config = [&](const std::string& name, const std::string& more) {
    write_file(dir_.file(name), "[ingest]\nendpoint = ipc://" + dir_.file("second.sock") + "\n" +
                                    destination + more);
    return dir_.file(name);
  };
  const std::string shared = write_config("second.conf", "");
  Process second({outrider_binary(), "run", "--config", shared});
  ASSERT_TRUE(second.wait_for_line(" ready ", Process::Stream::err));
  const std::string said = second.text(Process::Stream::err);
  EXPECT_NE(said.find("there is no admin interface"), std::string::npos) << said;
  EXPECT_NE(said.find("[admin] listen = unix://PATH"), std::string::npos) << said;
  EXPECT_EQ(get("/healthz").status, 200) << "the first has kept its socket";
  // Its commands meet the first, which is not what they ask for.
  for (const std::string command : {"stats", "drain", "health"}) {
    const Finished refused = run({outrider_binary(), command, "--config", shared});
    EXPECT_EQ(refused.status, 1) << command;
    EXPECT_NE(refused.err.find("belongs to the sidecar of " + sidecar_->endpoint()),
              std::string::npos)
        << refused.err;
  }
  second.signal(SIGTERM);
  EXPECT_EQ(second.wait(), 0);
  const std::string own =
      write_config("third.conf", "[admin]\nlisten = unix://" + dir_.file("second-admin.sock"));
  Process third({outrider_binary(), "run", "--config", own});
  ASSERT_TRUE(third.wait_for_line(" ready ", Process::Stream::err));
  EXPECT_EQ(run({outrider_binary(), "drain", "--config", own}).status, 0);
  EXPECT_EQ(third.wait(), 0);
  EXPECT_EQ(run({outrider_binary(), "health", "--admin", "unix://" + path()}).status, 0);
  EXPECT_EQ(sidecar_->stop(), 0);
}

TEST_F(AdminTest, AConfiguredPlaceThatIsTakenIsAnError) {
  write_file(path(), "mine");
  start("[admin]\nlisten = unix://" + path() + "\n", /*is_expected_to_start=*/false);
  EXPECT_EQ(sidecar_->process().wait(), 1);
  EXPECT_NE(sidecar_->err().find("is not a socket"), std::string::npos) << sidecar_->err();
}

// What no client can do ---------------------------------------------------------------------------

TEST_F(AdminTest, ARequestHasFiveSecondsAndAnIdleConnectionToo) {
  start();
  HttpConnection silent = connect();
  HttpConnection slow_head = connect();
  HttpConnection slow_body = connect();
  HttpConnection idle = connect();
  ASSERT_TRUE(idle.ask(get_health));
  slow_body.send(
      "POST /v1/drain HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
      "Content-Length: 60000\r\n\r\n");
  const auto begin = std::chrono::steady_clock::now();
  slow_head.send("GET /healthz HTTP/1.1\r\nX: ");
  // A byte now and then, for as long as it is taken.
  ASSERT_TRUE(eventually(
      [&] {
        std::this_thread::sleep_for(100ms);
        const bool is_head_over = !slow_head.send("x");
        const bool is_body_over = !slow_body.send(" ");
        return is_head_over && is_body_over;
      },
      20s));
  EXPECT_TRUE(silent.wait_for_end());
  EXPECT_TRUE(idle.wait_for_end());
  const auto time = std::chrono::steady_clock::now() - begin;
  EXPECT_GT(time, 4500ms);
  EXPECT_LT(time, 9s);
  EXPECT_EQ(get("/healthz").status, 200);
}

TEST_F(AdminTest, IdleConnectionsTakeNobodysPlace) {
  start();
  EXPECT_EQ(get("/healthz").status, 200);
  const long before = memory_kib();
  std::vector<HttpConnection> idle;
  for (int i = 0; i < 300; ++i) {
    idle.push_back(connect());
    if (i % 50 == 49) {
      EXPECT_LE(health_time(), health_time_max) << i;
    }
  }
  EXPECT_LE(health_time(), health_time_max);
  EXPECT_LE(memory_kib() - before, memory_more_max_kib);
}

TEST_F(AdminTest, AHeadWithoutAnEndIsRefused) {
  start();
  EXPECT_EQ(get("/healthz").status, 200);
  const long before = memory_kib();
  std::vector<HttpConnection> attackers;
  const std::string header = "X-Filler: " + std::string(1000, 'x') + "\r\n";
  for (int i = 0; i < 50; ++i) {
    attackers.push_back(connect());
    attackers.back().send("GET /healthz HTTP/1.1\r\nHost: localhost\r\n");
    int sent = 0;
    while (sent < 1000 && attackers.back().send(header)) ++sent;
    EXPECT_LT(sent, 1000);
  }
  EXPECT_LE(health_time(), health_time_max);
  EXPECT_LE(memory_kib() - before, memory_more_max_kib);
  // As a number: up to 8 KiB are taken.
  const std::string start_line = "GET /healthz HTTP/1.1\r\nHost: localhost\r\nX: ";
  const auto of = [&](std::size_t bytes) {
    return ask(start_line + std::string(bytes - start_line.size() - 4, 'x') + "\r\n\r\n").status;
  };
  EXPECT_EQ(of(8192), 200);
  EXPECT_EQ(of(8192 + 8), 431);
}

TEST_F(AdminTest, ABodyIsRefusedBeforeItComes) {
  start();
  const std::string head =
      "POST /v1/drain HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n";
  EXPECT_EQ(ask(head + "Content-Length: 65537\r\n\r\n").status, 413);
  EXPECT_EQ(ask(head + "Content-Length: 100000000\r\n\r\n").status, 413);
  EXPECT_EQ(ask(head + "Content-Length: 99999999999999999999999\r\n\r\n").status, 413);
  EXPECT_EQ(ask(head + "Content-Length: -1\r\n\r\n").status, 400);
  EXPECT_EQ(ask(head + "Transfer-Encoding: chunked\r\n\r\n").status, 411);
  EXPECT_EQ(ask(head + "Transfer-Encoding: chunked\r\nContent-Length: 2\r\n\r\n{}").status, 411);
  EXPECT_EQ(ask(head + "Expect: a miracle\r\nContent-Length: 2\r\n\r\n").status, 417);
  const std::string spaces(65536, ' ');
  EXPECT_EQ(ask(head + "Content-Length: 65536\r\n\r\n" + spaces).status, 200);
}

TEST_F(AdminTest, WhoAsksFirstIsToldToGoOn) {
  start();
  HttpConnection connection = connect();
  connection.send(
      "POST /v1/log-level HTTP/1.1\r\nHost: localhost\r\nExpect: 100-continue\r\n"
      "Content-Type: application/json\r\nContent-Length: 17\r\n\r\n");
  EXPECT_EQ(connection.reply().value_or(HttpReply{}).status, 100);
  connection.send("{\"level\": \"info\"}");
  EXPECT_EQ(connection.reply().value_or(HttpReply{}).status, 200);
  // What would be refused is refused at once.
  const HttpReply refused =
      ask("POST /v1/log-level HTTP/1.1\r\nHost: localhost\r\nExpect: 100-continue\r\n"
          "Content-Type: text/plain\r\nContent-Length: 17\r\n\r\n");
  EXPECT_EQ(refused.status, 415);
}

TEST_F(AdminTest, ManyChunkedBodiesHoldNothing) {
  start();
  EXPECT_EQ(get("/healthz").status, 200);
  const long before = memory_kib();
  const std::string chunk = "10000\r\n" + std::string(0x10000, 'x') + "\r\n";
  for (int i = 0; i < 20; ++i) {
    HttpConnection connection = connect();
    connection.send(
        "POST /v1/drain HTTP/1.1\r\nHost: localhost\r\n"
        "Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n");
    int sent = 0;
    while (sent < 1600 && connection.send(chunk)) ++sent;
    EXPECT_LT(sent, 1600) << "100 MB were taken";
  }
  EXPECT_LE(health_time(), health_time_max);
  EXPECT_LE(memory_kib() - before, memory_more_max_kib);
}

TEST_F(AdminTest, BodiesThatAreNotFinishedHaveALimitTogether) {
  start();
  EXPECT_EQ(get("/healthz").status, 200);
  const long before = memory_kib();
  std::vector<HttpConnection> attackers;
  for (int i = 0; i < 50; ++i) {
    attackers.push_back(connect());
    attackers.back().send(
        "POST /v1/drain HTTP/1.1\r\nHost: localhost\r\n"
        "Content-Type: application/json\r\nContent-Length: 65536\r\n\r\n" +
        std::string(65000, ' '));
  }
  EXPECT_LE(health_time(), health_time_max);
  EXPECT_LE(memory_kib() - before, memory_more_max_kib);
}

TEST_F(AdminTest, RangesGetTheWhole) {
  start();
  std::string ranges = "Range: bytes=0-1";
  for (int i = 1; i < 400; ++i) ranges += "," + std::to_string(i) + "-";
  const long before = memory_kib();
  const HttpReply reply = get("/v1/stats", "Host: localhost\r\n" + ranges + "\r\n");
  EXPECT_EQ(reply.status, 200);
  EXPECT_NE(reply.body.find("\"name\":\"audit\""), std::string::npos);
  EXPECT_LE(memory_kib() - before, memory_more_max_kib);
}

TEST_F(AdminTest, AnswersThatNobodyReadsHoldNobodyUp) {
  start();
  EXPECT_EQ(get("/healthz").status, 200);
  const long before = memory_kib();
  std::string many;
  for (int i = 0; i < 200; ++i) many += get_stats;
  std::vector<HttpConnection> attackers;
  for (int i = 0; i < 50; ++i) {
    attackers.push_back(connect());
    // As many as the server takes before it waits for its reader.
    attackers.back().send(many);
  }
  EXPECT_LE(health_time(), health_time_max);
  EXPECT_LE(memory_kib() - before, memory_more_max_kib);
}

TEST_F(AdminTest, NoiseEndsTheConnection) {
  start();
  for (const std::string& noise :
       {std::string("\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 11), std::string(20'000, '\0'),
        std::string("GET\r\n\r\n"), std::string("\r\n\r\n\r\n\r\n"),
        std::string("GET /healthz HTTP/9.9\r\nHost: localhost\r\n\r\n"),
        std::string("\xff\x00\x00\x00\x00\x00\x00\x00\x01\x7f", 10)}) {
    HttpConnection connection = connect();
    connection.send(noise);
    EXPECT_TRUE(connection.wait_for_end()) << noise.substr(0, 20);
  }
  EXPECT_EQ(get("/healthz").status, 200);
}

TEST_F(AdminTest, WithoutADescriptorItWaitsAndDoesNotSpin) {
  start();
  EXPECT_EQ(get("/healthz").status, 200);
  rlimit before{};
  const pid_t pid = sidecar_->process().pid();
  ASSERT_EQ(prlimit(pid, RLIMIT_NOFILE, nullptr, &before), 0);
  const rlimit none{3, before.rlim_max};
  ASSERT_EQ(prlimit(pid, RLIMIT_NOFILE, &none, nullptr), 0);
  HttpConnection waiting = connect();
  waiting.send(get_health);
  // The time of a process, not of this machine: nothing is waited for.
  const long begin = worked();
  std::this_thread::sleep_for(1500ms);
  EXPECT_LT(worked() - begin, 50) << "it spins";
  ASSERT_EQ(prlimit(pid, RLIMIT_NOFILE, &before, nullptr), 0);
  EXPECT_EQ(waiting.reply().value_or(HttpReply{}).status, 200);
}

TEST_F(AdminTest, WithoutAConnectionItSleeps) {
  start();
  EXPECT_EQ(get("/healthz").status, 200);
  // The connection that has just ended is its last work.
  ASSERT_TRUE(eventually([&] {
    const long sleeps_before = sleeps();
    std::this_thread::sleep_for(500ms);
    return sleeps_before >= 0 && sleeps() == sleeps_before;
  }));
  const long before = sleeps();
  std::this_thread::sleep_for(3s);
  EXPECT_EQ(sleeps(), before);
}

}  // namespace
}  // namespace outrider::test
