// Deliveries and clients share one limit of open files.
#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <mutex>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <unistd.h>

#include "sidecar/http/curl_multi.hpp"
#include "support/curl_fixture.hpp"

namespace outrider::sidecar {
namespace {

using test::HttpsServer;
using test::ReceivedRequest;
using test::ServerAnswer;

/// Answers nobody until it is opened.
struct Door {
  std::mutex mutex;
  std::condition_variable changed;
  bool is_open = false;
  int inside = 0;
  int most = 0;

  void pass() {
    std::unique_lock lock(mutex);
    most = std::max(most, ++inside);
    changed.wait(lock, [this] { return is_open; });
    --inside;
  }
  int count() {
    const std::lock_guard lock(mutex);
    return inside;
  }
  void open() {
    const std::lock_guard lock(mutex);
    is_open = true;
    changed.notify_all();
  }
};

class DescriptorsTest : public test::CurlFixture {
 protected:
  DescriptorsTest() { getrlimit(RLIMIT_NOFILE, &before_); }
  ~DescriptorsTest() override { setrlimit(RLIMIT_NOFILE, &before_); }

  void set_limit(rlim_t files) const {
    const rlimit limit{files, before_.rlim_max};
    ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &limit), 0);
  }

  HttpsServer& serve_behind(const std::shared_ptr<Door>& door) {
    return serve([door](const ReceivedRequest&) {
      door->pass();
      return ServerAnswer{};
    });
  }

  rlimit before_{};
};

TEST_F(DescriptorsTest, WhatIsBeyondTheShareOfDeliveriesWaitsAndIsNoFailure) {
  const auto door = std::make_shared<Door>();
  HttpsServer& server = serve_behind(door);
  set_limit(72);
  ASSERT_EQ(CurlMulti::requests_max(), 9U);
  set_limit(64);
  ASSERT_EQ(CurlMulti::requests_max(), 8U);
  set_limit(48);
  ASSERT_EQ(CurlMulti::requests_max(), 6U);
  open(to(server.url()));
  for (AttemptId id = 1; id <= 10; ++id) start(id);
  ASSERT_TRUE(run_until([&] { return door->count() == 6; }));
  EXPECT_EQ(server.connections(), 6U);
  door->open();
  ASSERT_TRUE(run_until([&] { return done_.size() == 10; }));
  for (const Completion& completion : done_) EXPECT_EQ(completion.status, 200) << completion.detail;
  EXPECT_LE(door->most, 6);
}

TEST_F(DescriptorsTest, SlowReceiversLeaveSomethingToTheOthers) {
  const auto door = std::make_shared<Door>();
  HttpsServer& slow = serve_behind(door);
  HttpsServer& quick = serve();
  set_limit(48);
  open(to(slow.url()));
  const std::unique_ptr<Transport> other =
      std::move(driver_.make_transport(to(quick.url()), {"application/json", ""}, log_).value());
  for (AttemptId id = 1; id <= 20; ++id) start(id);
  ASSERT_TRUE(run_until([&] { return door->count() == 5; }));
  for (AttemptId id = 1; id <= 3; ++id) {
    other->start(attempt(id), clock_.now());
    std::vector<Completion> answered;
    ASSERT_TRUE(run_until([&] {
      other->collect(clock_.now(), answered);
      return !answered.empty();
    }));
    EXPECT_EQ(answered.front().status, 200) << answered.front().detail;
  }
  EXPECT_EQ(door->count(), 5);
  door->open();
  ASSERT_TRUE(run_until([&] { return done_.size() == 20; }));
}

TEST_F(DescriptorsTest, WhatWaitsCanBeCancelled) {
  const auto door = std::make_shared<Door>();
  HttpsServer& server = serve_behind(door);
  set_limit(48);
  open(to(server.url()));
  for (AttemptId id = 1; id <= 8; ++id) start(id);
  transport_->cancel(7);
  door->open();
  ASSERT_TRUE(run_until([&] { return done_.size() == 7; }));
  EXPECT_EQ(server.received().size(), 7U);
}

// The undefined-behaviour sanitizer looks at memory through a pipe.
#ifndef OUTRIDER_SANITIZED
TEST_F(DescriptorsTest, ASocketThatCannotBeMadeIsNamed) {
  open(to("http://127.0.0.1:9/"));
  const int lowest = dup(STDIN_FILENO);
  close(lowest);
  set_limit(static_cast<rlim_t>(lowest));
  start(1);
  const Completion completion = finish_one();
  EXPECT_EQ(completion.detail, "cannot connect to 127.0.0.1:9: Too many open files");
}
#endif

}  // namespace
}  // namespace outrider::sidecar
