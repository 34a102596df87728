// Clients that take more than their part of descriptors and memory.

#include <filesystem>
#include <fstream>
#include <memory>
#include <numeric>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>
#include <zmq.h>

#include "sidecar/ingest/zmq_source.hpp"
#include "sidecar/net/gate_log.hpp"
#include "sidecar/net/socket_gate.hpp"
#include "sidecar/net/zmq_context.hpp"
#include "support/memory_log.hpp"
#include "support/temp_dir.hpp"
#include "support/zmtp_client.hpp"

namespace outrider::sidecar {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using test::ZmtpClient;

constexpr std::uint64_t mib = 1U << 20U;

class CrowdTest : public testing::Test {
 protected:
  CrowdTest() {
    config_.endpoints = {"ipc://" + path_};
    auto opened = open_zmq_source(config_, context_.get(), reactor_, log_);
    EXPECT_TRUE(opened.ok());
    source_ = std::move(opened.value());
  }

  std::unique_ptr<ZmtpClient> connect() {
    auto client = std::make_unique<ZmtpClient>(path_);
    EXPECT_TRUE(client->is_connected() && client->greet());
    return client;
  }

  /// Turns until `condition`, for a minute at most. Sizes of the frames that come are kept.
  template <typename Condition>
  bool turn_until(const Condition& condition, bool receives = true) {
    const MonoTime deadline = clock_.now().mono + seconds(60);
    while (!condition()) {
      while (const auto frame = receives ? source_->receive() : std::nullopt) {
        sizes_.push_back(frame->size());
      }
      if (clock_.now().mono > deadline) return false;
      gate_log_.look(clock_.now());
      reactor_.wait(milliseconds(5));
    }
    return true;
  }

  test::TempDir dir_;
  const std::string path_ = dir_.file("s.sock");
  SystemClock clock_;
  Reactor reactor_;
  test::MemoryLog log_;
  GateLog gate_log_{log_};
  IngestConfig config_;
  ZmqContext context_;
  std::unique_ptr<FrameSource> source_;
  std::vector<std::size_t> sizes_;
};

TEST_F(CrowdTest, KeepsAQuarterOfTheDescriptorsFromClients) {
  rlimit before{};
  ASSERT_EQ(getrlimit(RLIMIT_NOFILE, &before), 0);
  rlimit tight = before;
  // Not so tight that nothing is left: a sanitizer's checks need descriptors of their own.
  tight.rlim_cur = 300;
  const auto refused_before = SocketGate::counts().refused;
  std::vector<std::unique_ptr<ZmtpClient>> clients;
  // Both ends of a connection count here; the client's are there first.
  for (int i = 0; i < 120; ++i) clients.push_back(std::make_unique<ZmtpClient>(path_));
  ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &tight), 0);
  for (int i = 0; i < 30; ++i) clients.push_back(std::make_unique<ZmtpClient>(path_));
  EXPECT_TRUE(turn_until([&] { return log_.count("error new clients are refused") > 0; }));
  EXPECT_GT(SocketGate::counts().refused, refused_before);
  clients.clear();
  ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &before), 0);
  const auto polite = connect();
  EXPECT_TRUE(polite->write_all(ZmtpClient::part("good", false)));
  EXPECT_TRUE(turn_until([&] { return !sizes_.empty(); }));
}

// The undefined-behaviour sanitizer looks at memory through a pipe.
#ifndef OUTRIDER_SANITIZED
TEST_F(CrowdTest, AConnectionThatNotEvenCanBeRefusedCountsOnce) {
  rlimit before{};
  ASSERT_EQ(getrlimit(RLIMIT_NOFILE, &before), 0);
  rlimit none = before;
  none.rlim_cur = 3;
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  path_.copy(address.sun_path, sizeof address.sun_path - 1);
  const int client = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const auto refused_before = SocketGate::counts().refused;
  ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &none), 0);
  EXPECT_EQ(::connect(client, reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
  EXPECT_TRUE(turn_until([&] { return log_.count("error new clients are refused") > 0; }));
  EXPECT_EQ(SocketGate::counts().refused, refused_before + 1);
  EXPECT_EQ(log_.count("clients are not the cause"), 1);
  ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &before), 0);
  const auto polite = this->connect();
  EXPECT_TRUE(polite->write_all(ZmtpClient::part("good", false)));
  EXPECT_TRUE(turn_until([&] { return !sizes_.empty(); }));
  close(client);
}
#endif

TEST_F(CrowdTest, CutsOffAMessageWithoutEnd) {
  const auto endless = connect();
  const std::string part = ZmtpClient::part(std::string(mib, 'x'), true);
  int parts = 0;
  while (parts < 64 && endless->write_all(part)) ++parts;
  EXPECT_LT(parts, 18);
  EXPECT_TRUE(endless->wait_for_end());
}

TEST_F(CrowdTest, CutsOffAMessageOfManyEmptyParts) {
  const auto many = connect();
  const std::string part = ZmtpClient::part("", true);
  for (int i = 0; i < 17; ++i) many->write_all(part);
  EXPECT_TRUE(many->wait_for_end());
  EXPECT_TRUE(turn_until([&] { return log_.count("closed client connections") == 1; }));
}

TEST_F(CrowdTest, CutsOffWhoDoesNotSpeakZeroMq) {
  const ZmtpClient browser(path_);
  browser.write_all("GET / HTTP/1.1\r\n\r\n");
  EXPECT_TRUE(browser.wait_for_end());
  EXPECT_TRUE(turn_until([&] { return log_.count("speaks ZeroMQ, not HTTP") == 1; }));
}

// libzmq ends such a connection as soon as it hears what it met, before it has said what it is.
TEST_F(CrowdTest, SaysThatASocketOfAnotherTypeHasLeft) {
  void* const context = zmq_ctx_new();
  void* const dealer = zmq_socket(context, ZMQ_DEALER);
  ASSERT_EQ(zmq_connect(dealer, ("ipc://" + path_).c_str()), 0);
  EXPECT_TRUE(turn_until([&] { return log_.count("another type") + log_.count("DEALER") > 0; }));
  const int linger_ms = 0;
  zmq_setsockopt(dealer, ZMQ_LINGER, &linger_ms, sizeof linger_ms);
  zmq_close(dealer);
  zmq_ctx_term(context);
}

TEST_F(CrowdTest, SaysWhichSocketDoesNotBelongThere) {
  const ZmtpClient dealer(path_);
  dealer.greet("DEALER");
  EXPECT_TRUE(dealer.wait_for_end());
  EXPECT_TRUE(
      turn_until([&] { return log_.count("a DEALER socket connects where PUSH belongs") == 1; }));
}

TEST_F(CrowdTest, LetsGoOfConnectionsThatSayNothing) {
  const ZmtpClient silent(path_);
  EXPECT_TRUE(silent.wait_for_end());
}

TEST_F(CrowdTest, BoundsWhatWaitsInBytesOverAllClientsAndLosesNothing) {
  constexpr std::size_t clients_max = 20;
  constexpr std::size_t frames_each = 20;
  const std::string frame = ZmtpClient::part(std::string(mib, 'x'), false);
  struct Sender {
    std::unique_ptr<ZmtpClient> client;
    std::string bytes;
    std::size_t sent = 0;
  };
  std::vector<Sender> senders(clients_max);
  for (Sender& sender : senders) {
    sender.client = connect();
    for (std::size_t i = 0; i < frames_each; ++i) sender.bytes += frame;
  }
  std::uint64_t total = 0;
  MonoTime moved = clock_.now().mono;
  const auto write = [&] {
    for (Sender& sender : senders) {
      const auto rest = std::string_view(sender.bytes).substr(sender.sent);
      const ssize_t sent = rest.empty() ? 0 : sender.client->write_some(rest);
      EXPECT_GE(sent, 0) << "a client that only has to wait was cut off";
      sender.sent += static_cast<std::size_t>(std::max<ssize_t>(sent, 0));
      total += static_cast<std::uint64_t>(std::max<ssize_t>(sent, 0));
      if (sent > 0) moved = clock_.now().mono;
    }
  };
  // Nobody receives: in the end nothing moves any more, and not before there is much.
  EXPECT_TRUE(turn_until(
      [&] {
        write();
        return total > 60 * mib && clock_.now().mono - moved > milliseconds(300);
      },
      /*receives=*/false));
  EXPECT_LT(total, 2 * Intake::room_bytes_min + 16 * mib);
  EXPECT_TRUE(turn_until([&] {
    write();
    return sizes_.size() == clients_max * frames_each;
  })) << sizes_.size();
}

TEST_F(CrowdTest, ReadsToItsEndAClientThatHasSentAndGoneWhileNothingWasReceived) {
  constexpr std::size_t frames = 2'500;  // more than ZeroMQ holds, less than the kernel does
  {
    const auto client = connect();
    std::string all;
    for (std::size_t i = 0; i < frames; ++i) all += ZmtpClient::part(std::string(40, 'x'), false);
    ASSERT_TRUE(client->write_all(all));
  }
  // When this one is cut off, ZeroMQ has seen the end of the one before.
  const ZmtpClient browser(path_);
  browser.write_all("GET / HTTP/1.1\r\n\r\n");
  ASSERT_TRUE(browser.wait_for_end());
  EXPECT_TRUE(turn_until([&] { return sizes_.size() == frames; })) << sizes_.size();
}

TEST_F(CrowdTest, GivesUpMessagesThatStayUnfinishedWhenOthersNeedTheRoom) {
  std::vector<std::unique_ptr<ZmtpClient>> stalled;
  const std::string most = ZmtpClient::part(std::string(16 * mib, 'x'), false).substr(0, 15 * mib);
  const auto stalled_before = SocketGate::counts().stalled;
  for (int i = 0; i < 8; ++i) {
    stalled.push_back(connect());
    std::size_t sent = 0;
    // Some are not read to this end, for by then the room is used up.
    for (const MonoTime until = clock_.now().mono + seconds(1);
         sent < most.size() && clock_.now().mono < until;) {
      const ssize_t more = stalled.back()->write_some(std::string_view(most).substr(sent));
      if (more < 0) break;
      sent += static_cast<std::size_t>(more);
    }
  }
  const auto polite = connect();
  for (int i = 0; i < 3; ++i) polite->write_all(ZmtpClient::part(std::string(mib, 'g'), false));
  EXPECT_TRUE(turn_until([&] { return sizes_.size() == 3; }));
  EXPECT_GT(SocketGate::counts().stalled, stalled_before);
}

TEST_F(CrowdTest, GivesUpAllThatStallTogether) {
  // Of each, the kernel holds some when the room is used up; and all of them send no more.
  constexpr std::size_t clients_max = 300;
  const std::string most = ZmtpClient::part(std::string(mib, 'x'), false).substr(0, 450 << 10U);
  const auto stalled_before = SocketGate::counts().stalled;
  std::vector<std::unique_ptr<ZmtpClient>> stalled;
  for (std::size_t i = 0; i < clients_max; ++i) {
    stalled.push_back(connect());
    std::size_t sent = 0;
    for (int tries = 0; tries < 100 && sent < most.size(); ++tries) {
      sent += static_cast<std::size_t>(
          std::max<ssize_t>(stalled.back()->write_some(std::string_view(most).substr(sent)), 0));
    }
  }
  const MonoTime begin = clock_.now().mono;
  const auto polite = connect();
  EXPECT_TRUE(polite->write_all(ZmtpClient::part("good", false)));
  EXPECT_TRUE(turn_until([&] { return sizes_.size() == 1; }));
  EXPECT_TRUE(polite->write_all(ZmtpClient::part(std::string(mib, 'g'), false)));
  EXPECT_TRUE(turn_until([&] { return sizes_.size() == 2; }));
  const auto given_up = static_cast<std::int64_t>(SocketGate::counts().stalled - stalled_before);
  EXPECT_GT(given_up, 30);
  EXPECT_LT(clock_.now().mono - begin, seconds(given_up) / 2) << "not one a second";
}

/// Whoever is held off waits until those that stall are given up. On a busy machine that may come
/// first in some rounds, but not in most of them.
TEST_F(CrowdTest, WhatStaysUnfinishedOnOneSocketHoldsNobodyOffAtAnother) {
  config_.confirm_endpoint = "ipc://" + dir_.file("c.sock");
  auto confirm = open_zmq_confirm_source(config_, context_.get(), reactor_, log_);
  ASSERT_TRUE(confirm.ok());
  const std::string most = ZmtpClient::part(std::string(16 * mib, 'x'), false).substr(0, 15 * mib);
  constexpr int rounds = 5;
  int has_waited = 0;
  for (int round = 0; round < rounds; ++round) {
    std::vector<std::unique_ptr<ZmtpClient>> stalled;
    std::vector<std::size_t> sent(6);
    for (std::size_t i = 0; i < sent.size(); ++i) stalled.push_back(connect());
    // From three quarters of the room on, one client alone is read on.
    ASSERT_TRUE(turn_until([&] {
      for (std::size_t i = 0; i < sent.size(); ++i) {
        const auto rest = std::string_view(most).substr(sent[i]);
        sent[i] += static_cast<std::size_t>(std::max<ssize_t>(stalled[i]->write_some(rest), 0));
      }
      return std::accumulate(sent.begin(), sent.end(), std::size_t{0}) >
             Intake::room_bytes_min / 4 * 3 + (256 << 10U);
    }));
    const auto stalled_before = SocketGate::counts().stalled;
    const ZmtpClient client(dir_.file("c.sock"));
    ASSERT_TRUE(client.greet("DEALER"));
    std::size_t frames = 0;
    for (int i = 0; i < 3; ++i) client.write_all(ZmtpClient::part(std::string(mib, 'g'), false));
    ASSERT_TRUE(turn_until([&] {
      while (confirm.value()->receive()) ++frames;
      return frames == 3;
    }));
    has_waited += SocketGate::counts().stalled != stalled_before ? 1 : 0;
  }
  EXPECT_LE(has_waited, rounds / 2);
}

TEST_F(CrowdTest, WhoSendsBeforeTheHandshakeIsCutOffAndNotCounted) {
  std::string early = ZmtpClient::greeting();
  for (int i = 0; i < 200; ++i) early += std::string("\0\x22", 2) + std::string(34, 'x');
  const auto polite = connect();
  const auto cut_off_before = SocketGate::counts().cut_off;
  for (int i = 0; i < 60; ++i) {
    const ZmtpClient hostile(path_);
    hostile.write_all(early);
    EXPECT_TRUE(hostile.wait_for_end());
  }
  EXPECT_EQ(SocketGate::counts().cut_off, cut_off_before + 60);
  EXPECT_TRUE(polite->write_all(ZmtpClient::part("good", false)));
  EXPECT_TRUE(turn_until([&] { return sizes_.size() == 1; }));
}

TEST_F(CrowdTest, PutsBackASocketFileThatWasRemoved) {
  const auto before = connect();
  for (const bool takes_lock : {false, true, true}) {
    std::filesystem::remove(path_);
    if (takes_lock) std::filesystem::remove(path_ + ".lock");
    ASSERT_TRUE(turn_until([&] {
      return std::filesystem::exists(path_) && std::filesystem::exists(path_ + ".lock");
    }));
    EXPECT_FALSE(open_zmq_source(config_, context_.get(), reactor_, log_).ok());
    const auto client = connect();
    client->write_all(ZmtpClient::part("new", false));
    before->write_all(ZmtpClient::part("connected before", false));
    sizes_.clear();
    EXPECT_TRUE(turn_until([&] { return sizes_.size() == 2; }));
  }
  EXPECT_GE(log_.count("it was restored"), 1);
}

TEST_F(CrowdTest, PutsBackALockThatWasRemoved) {
  std::filesystem::remove(path_ + ".lock");
  EXPECT_TRUE(turn_until([&] { return std::filesystem::exists(path_ + ".lock"); }));
  EXPECT_FALSE(open_zmq_source(config_, context_.get(), reactor_, log_).ok());
}

TEST_F(CrowdTest, SaysOnceThatItCannotPutTheSocketBackAndTriesAgain) {
  std::filesystem::remove(path_);
  std::ofstream(path_) << "somebody's file";
  EXPECT_TRUE(turn_until([&] { return log_.count("cannot be restored") > 0; }));
  std::filesystem::remove(path_);
  EXPECT_TRUE(turn_until([&] { return log_.count("it was restored") > 0; }));
  EXPECT_EQ(log_.count("cannot be restored"), 1);
}

}  // namespace
}  // namespace outrider::sidecar
