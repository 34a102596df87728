// `outrider sink` as a process, seen by an HTTP client.
#include <fstream>
#include <sstream>
#include <thread>

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <httplib.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "support/places.hpp"
#include "support/process.hpp"
#include "support/temp_dir.hpp"

namespace outrider::sidecar {
namespace {

using testing::HasSubstr;

/// A sink on a free port of 127.0.0.1.
class Sink {
 public:
  explicit Sink(std::vector<std::string> options)
      : process_(words(std::move(options))), url_(read_url()) {}

  const std::string& url() const { return url_; }
  int port() const { return std::stoi(url_.substr(url_.rfind(':') + 1)); }
  test::Process& process() { return process_; }

  /// Ends it with SIGTERM and gives its summary.
  std::string stop() {
    process_.signal(SIGTERM);
    EXPECT_EQ(process_.wait(), 0);
    return process_.wait_for_line("requests=").value_or("no summary");
  }

 private:
  static std::vector<std::string> words(std::vector<std::string> options) {
    std::vector<std::string> all = {test::outrider_binary(), "sink", "--listen", "127.0.0.1:0"};
    all.insert(all.end(), options.begin(), options.end());
    return all;
  }

  std::string read_url() {
    const std::string line = process_.wait_for_line("").value_or("");
    const std::string start = "listening on ";
    EXPECT_EQ(line.substr(0, start.size()), start) << process_.text(test::Process::Stream::err);
    return line.substr(std::min(start.size(), line.size()));
  }

  test::Process process_;
  std::string url_;
};

constexpr const char* json = "application/json";

int post(httplib::Client& client, const std::string& body, const char* type = json) {
  const auto answer = client.Post("/events", body, type);
  return answer ? answer->status : -1;
}

TEST(Sink, ReceivesEventsOverVerifiedHttpsAndPrintsThem) {
  const test::TempDir dir;
  Sink sink({"--cert-out", dir.file("cert.pem"), "--output", dir.file("events.jsonl")});
  EXPECT_THAT(sink.url(), HasSubstr("https://127.0.0.1:"));
  httplib::Client client(sink.url());
  client.set_ca_cert_path(dir.file("cert.pem").c_str());
  client.enable_server_certificate_verification(true);
  client.set_keep_alive(true);

  EXPECT_EQ(post(client, R"([{"id":"a","topic":"orders.paid","time":"T","data":{"x": 1}}])"), 200);
  EXPECT_EQ(post(client, "{\"id\":\"b\"}\n{\"id\":\"a\"}\n", "application/x-ndjson"), 200);
  EXPECT_EQ(post(client, "\x91\x81\xa2id\xa1m", "application/msgpack"), 200);
  EXPECT_TRUE(sink.process().wait_for_line(R"(orders.paid T a {"x":1})"));
  EXPECT_EQ(sink.stop(), "requests=3 events=4 ids=3 duplicates=1 bytes=90 failed=0 refused=0");

  std::ostringstream written;
  written << std::ifstream(dir.file("events.jsonl")).rdbuf();
  EXPECT_EQ(written.str(),
            "{\"id\":\"a\",\"topic\":\"orders.paid\",\"time\":\"T\",\"data\":{\"x\":1}}\n"
            "{\"id\":\"b\"}\n{\"id\":\"a\"}\n{\"id\":\"m\"}\n");
}

TEST(Sink, DataAloneIsOneEventWithTheIdOfItsHeader) {
  Sink sink({"--plain", "--payload"});
  httplib::Client client(sink.url());
  const auto post_with = [&client](const httplib::Headers& headers, const std::string& body) {
    const auto answer = client.Post("/", headers, body, json);
    return answer ? answer->status : -1;
  };
  EXPECT_EQ(post_with({{"Idempotency-Key", "k1"}}, R"([{"id":"x"},{"id":"x"}])"), 200);
  EXPECT_TRUE(sink.process().wait_for_line(R"(- - k1 [{"id":"x"},{"id":"x"}])"));
  EXPECT_EQ(post_with({{"Idempotency-Key", "k2"}}, R"({"id":"x"})"), 200);
  EXPECT_EQ(post_with({{"Idempotency-Key", "k2"}}, R"({"id":"x"})"), 200);
  const httplib::Headers attributes = {{"Idempotency-Key", "k3"},
                                       {"ce-specversion", "1.0"},
                                       {"ce-id", "e1"},
                                       {"ce-type", "orders.paid"},
                                       {"ce-time", "T"}};
  EXPECT_EQ(post_with(attributes, "[1]"), 200);
  EXPECT_TRUE(sink.process().wait_for_line("orders.paid T e1 [1]"));
  EXPECT_EQ(sink.stop(), "requests=4 events=4 ids=3 duplicates=1 bytes=46 failed=0 refused=0");

  Sink plain({"--plain"});
  httplib::Client other(plain.url());
  EXPECT_EQ(post(other, "[1]"), 400);
  EXPECT_TRUE(plain.process().wait_for_line("--payload", test::Process::Stream::err));
}

TEST(Sink, WhatIsCompressedCountsAsWhatItIs) {
  Sink sink({"--plain", "--quiet"});
  httplib::Client client(sink.url());
  client.set_compress(true);
  EXPECT_EQ(post(client, "[" + std::string(1000, ' ') + "]"), 200);
  // A frame of 102 bytes: a bracket, 100 times a blank, a bracket.
  const std::string zstd("\x28\xb5\x2f\xfd\x20\x66\x08\0\0[\x22\x03\0 \x09\0\0]", 18);
  client.set_compress(false);
  const auto answer = client.Post("/", {{"Content-Encoding", "zstd"}}, zstd, json);
  ASSERT_TRUE(answer);
  EXPECT_EQ(answer->status, 200) << answer->body;
  EXPECT_EQ(sink.stop(), "requests=2 events=0 ids=0 duplicates=0 bytes=1104 failed=0 refused=0");
}

TEST(Sink, AClientThatDoesNotKnowTheCertificateIsNotServed) {
  Sink sink({});
  httplib::Client client(sink.url());
  client.enable_server_certificate_verification(true);
  EXPECT_EQ(post(client, "[]"), -1);
}

TEST(Sink, ABadBodyIsRefusedWithItsReasonAndTheConnectionGoesOn) {
  Sink sink({"--plain", "--quiet"});
  httplib::Client client(sink.url());
  client.set_keep_alive(true);
  const auto answer = client.Post("/", "[{]", json);
  ASSERT_TRUE(answer);
  EXPECT_EQ(answer->status, 400);
  EXPECT_THAT(answer->body, HasSubstr("invalid JSON at byte 2"));
  EXPECT_TRUE(sink.process().wait_for_line("invalid JSON at byte 2", test::Process::Stream::err));
  EXPECT_EQ(post(client, "[]", "text/plain"), 415);
  EXPECT_EQ(post(client, std::string((64U << 20U) + 1, ' ')), 413);
  EXPECT_EQ(post(client, R"([{"id":"a"}])"), 200);
  EXPECT_EQ(sink.stop(), "requests=4 events=1 ids=1 duplicates=0 bytes=12 failed=0 refused=3");
}

TEST(Sink, FailsOnPurpose) {
  Sink sink({"--plain", "--quiet", "--fail-first", "2", "--fail-status", "429", "--retry-after",
             "7", "--delay", "20ms"});
  httplib::Client client(sink.url());
  client.set_keep_alive(true);
  const auto began = std::chrono::steady_clock::now();
  const auto answer = client.Post("/", R"([{"id":"a"}])", json);
  ASSERT_TRUE(answer);
  EXPECT_GE(std::chrono::steady_clock::now() - began, std::chrono::milliseconds(20));
  EXPECT_EQ(answer->status, 429);
  EXPECT_EQ(answer->get_header_value("Retry-After"), "7");
  EXPECT_EQ(post(client, R"([{"id":"a"}])"), 429);
  const auto good = client.Put("/", R"([{"id":"a"}])", json);
  ASSERT_TRUE(good);
  EXPECT_EQ(good->status, 200);
  EXPECT_FALSE(good->has_header("Retry-After"));
  EXPECT_EQ(sink.stop(), "requests=3 events=1 ids=1 duplicates=0 bytes=12 failed=2 refused=0");
}

TEST(Sink, StaysUpForManyConnectionsThatStayOpen) {
  Sink sink({"--plain", "--quiet"});
  std::vector<std::unique_ptr<httplib::Client>> clients;
  for (int i = 0; i < 64; ++i) {
    clients.push_back(std::make_unique<httplib::Client>(sink.url()));
    clients.back()->set_keep_alive(true);
    clients.back()->set_tcp_nodelay(true);
  }
  for (int round = 0; round < 8; ++round) {
    for (const auto& client : clients) {
      EXPECT_EQ(post(*client, R"([{"id":")" + std::to_string(round) + R"("}])"), 200);
    }
  }
  // With every connection still open.
  EXPECT_THAT(sink.stop(), HasSubstr("requests=512 events=512 ids=8 duplicates=504"));
}

TEST(Sink, EndsByItselfForScripts) {
  Sink counting({"--plain", "--quiet", "--exit-after", "2"});
  httplib::Client client(counting.url());
  EXPECT_EQ(post(client, R"([{"id":"a"},{"id":"b"}])"), 200);
  EXPECT_EQ(counting.process().wait(), 0);

  Sink idle({"--plain", "--quiet", "--exit-after-idle", "50ms"});
  EXPECT_EQ(idle.process().wait(), 0);
  EXPECT_TRUE(idle.process().wait_for_line("requests=0 events=0"));
}

TEST(Sink, APortThatIsTakenIsSaid) {
  Sink first({"--plain"});
  const auto second = test::run({test::outrider_binary(), "sink", "--plain", "--listen",
                                 "127.0.0.1:" + std::to_string(first.port())});
  EXPECT_EQ(second.status, 1);
  EXPECT_THAT(second.err, HasSubstr("cannot listen on 127.0.0.1:"));
  EXPECT_THAT(second.err, HasSubstr("Address already in use"));
}

TEST(Sink, ItNeverWaitsForTheReaderOfAFifo) {
  const test::TempDir dir;
  const std::string fifo = dir.file("fifo");
  ASSERT_EQ(::mkfifo(fifo.c_str(), 0600), 0);
  const std::vector<std::string> words = {test::outrider_binary(), "sink", "--listen",
                                          "127.0.0.1:0"};
  std::vector<std::string> output = words;
  output.insert(output.end(), {"--plain", "--output", fifo});
  const auto unread = test::run(std::move(output));
  EXPECT_EQ(unread.status, 1);
  EXPECT_THAT(unread.err, HasSubstr("cannot open " + fifo + ": nobody reads it"));

  std::vector<std::string> cert_out = words;
  cert_out.insert(cert_out.end(), {"--cert-out", fifo});
  const auto refused = test::run(std::move(cert_out));
  EXPECT_EQ(refused.status, 1);
  EXPECT_THAT(refused.err, HasSubstr(fifo + ": it is not a regular file"));
}

TEST(Sink, ItEndsThoughTheReaderOfItsFifoReadsNothing) {
  const test::TempDir dir;
  const std::string fifo = dir.file("fifo");
  ASSERT_EQ(::mkfifo(fifo.c_str(), 0600), 0);
  const int reader = ::open(fifo.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC);
  ASSERT_GE(reader, 0);
  const auto waiting_bytes = [&] {
    int bytes = 0;
    EXPECT_EQ(::ioctl(reader, FIONREAD, &bytes), 0);
    return bytes;
  };
  // It looks at its counts all the time.
  Sink sink({"--plain", "--quiet", "--output", fifo, "--exit-after", "1000"});
  int status = 0;
  std::thread sender([&] {
    httplib::Client client(sink.url());
    status = post(client, R"([{"id":"a","data":")" + std::string(1U << 20U, 'x') + R"("}])");
  });
  const int room = ::fcntl(reader, F_GETPIPE_SZ);
  const auto deadline = std::chrono::steady_clock::now() + test::process_wait_default;
  while (waiting_bytes() < room && std::chrono::steady_clock::now() < deadline) {
    std::this_thread::yield();
  }
  EXPECT_EQ(waiting_bytes(), room);
  EXPECT_THAT(sink.stop(), HasSubstr("events=0 "));
  sender.join();
  EXPECT_NE(status, 200);
  ::close(reader);
}

TEST(Sink, ItEndsThoughNobodyReadsWhatItPrints) {
  const test::TempDir dir;
  const std::string fifo = dir.file("out");
  ASSERT_EQ(::mkfifo(fifo.c_str(), 0600), 0);
  const int reader = ::open(fifo.c_str(), O_RDWR | O_NONBLOCK | O_CLOEXEC);
  ASSERT_GE(reader, 0);
  for (const int signal : {SIGTERM, SIGINT}) {
    test::Process sink({"/bin/sh", "-c", "exec \"$0\" \"$@\" >" + fifo, test::outrider_binary(),
                        "sink", "--plain", "--listen", "127.0.0.1:0"});
    std::string line;
    const auto deadline = std::chrono::steady_clock::now() + test::process_wait_default;
    for (char byte = 0; byte != '\n' && std::chrono::steady_clock::now() < deadline;) {
      if (::read(reader, &byte, 1) == 1) line += byte;
    }
    ASSERT_THAT(line, HasSubstr("listening on "));
    const std::string url = line.substr(13, line.size() - 14);
    int status = 0;
    std::thread sender([&] {
      httplib::Client client(url);
      status = post(client, R"([{"id":"a","data":")" + std::string(1U << 20U, 'x') + R"("}])");
    });
    pollfd room{.fd = reader, .events = POLLOUT, .revents = 0};
    while (::poll(&room, 1, 0) != 0 && std::chrono::steady_clock::now() < deadline) {
      std::this_thread::yield();
    }
    sink.signal(signal);
    EXPECT_EQ(sink.wait(), 1);
    EXPECT_THAT(sink.text(test::Process::Stream::err),
                HasSubstr("standard output: its reader does not read; requests=0 events=0 "));
    sender.join();
    EXPECT_EQ(status, 500) << "what was not shown is not taken";
    char waste[4096];
    while (::read(reader, waste, sizeof waste) > 0) {
    }
  }
  ::close(reader);
}

TEST(Sink, AReaderThatHasAllItWantedIsNoFailure) {
  const test::Finished sink = test::run(
      {"/bin/bash", "-c",
       "\"$0\" sink --plain --listen 127.0.0.1:0 --exit-after-idle 300ms | head -n 1 >/dev/null; "
       "echo ${PIPESTATUS[0]}",
       test::outrider_binary()});
  EXPECT_EQ(sink.out, "0\n");
  EXPECT_THAT(sink.err, testing::StartsWith("requests=0 events=0 "));
}

TEST(Sink, WhatCannotBeShownIsRefusedAndTheStatusIsOne) {
  const test::TempDir dir;
  test::Process sink({"/bin/sh", "-c", "exec \"$0\" \"$@\" >/dev/full", test::outrider_binary(),
                      "sink", "--plain", "--listen", "127.0.0.1:0", "--exit-after-idle", "100ms"});
  EXPECT_EQ(sink.wait(), 1);
  EXPECT_THAT(sink.text(test::Process::Stream::err), HasSubstr("cannot write to standard output"));
}

TEST(Commands, WhatCannotBeWrittenIsNeverStatusZero) {
  const test::TempDir dir;
  const std::string file = dir.file("outrider.conf");
  std::ofstream(file) << "[ingest]\nendpoint = ipc://" << dir.file("o.sock")
                      << "\n[destination.out]\ntype = stdout\n";
  const std::vector<std::vector<std::string>> commands = {{"check", "--config", file},
                                                          {"reference"},
                                                          {"reference", "--example"},
                                                          {"help"},
                                                          {"help", "run"},
                                                          {"run", "--help"},
                                                          {"version"},
                                                          {"spool", "--help"},
                                                          {"dead", "--help"},
                                                          {"emit", "--help"},
                                                          {"sink", "--help"}};
  for (const std::vector<std::string>& command : commands) {
    std::vector<std::string> words = {"/bin/sh", "-c", "exec \"$0\" \"$@\" >/dev/full",
                                      test::outrider_binary()};
    words.insert(words.end(), command.begin(), command.end());
    const test::Finished ended = test::run(words);
    EXPECT_EQ(ended.status, 1) << command[0] << "\n" << ended.err;
  }
}

// A sanitizer has address space without end.
#ifndef OUTRIDER_SANITIZED
TEST(Sink, WithoutThreadsItSaysSoAndDoesNotListen) {
  const auto ended =
      test::run({"/bin/sh", "-c", "ulimit -s 100000; ulimit -v 2000000; exec \"$0\" \"$@\"",
                 test::outrider_binary(), "sink", "--plain", "--listen", "127.0.0.1:0"});
  EXPECT_EQ(ended.status, 1);
  EXPECT_EQ(ended.out, "");
  EXPECT_THAT(ended.err, HasSubstr("the system allows no more threads"));
}
#endif

}  // namespace
}  // namespace outrider::sidecar
