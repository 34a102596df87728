// A CurlDriver on a reactor of the test's own, turned by the test, with the servers that it talks
// to. List https_server.cpp among the test's sources and link PkgConfig::httplib and OpenSSL::SSL.
#pragma once

#include <algorithm>
#include <chrono>
#include <fstream>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "sidecar/base/time_left.hpp"
#include "sidecar/http/curl_transport.hpp"
#include "support/certificate.hpp"
#include "support/https_server.hpp"
#include "support/memory_log.hpp"
#include "support/temp_dir.hpp"

namespace outrider::test {

class CurlFixture : public testing::Test {
 protected:
  sidecar::DestinationConfig to(const std::string& url) {
    sidecar::DestinationConfig config;
    config.name = "web";
    config.urls = {url};
    config.timeout = std::chrono::seconds(20);
    return config;
  }

  void open(const sidecar::DestinationConfig& config) {
    transport_.reset();
    sidecar::Result<std::unique_ptr<sidecar::Transport>> made =
        driver_.make_transport(config, {"application/json", ""}, log_);
    ASSERT_TRUE(made.ok()) << made.error().message;
    transport_ = std::move(made.value());
  }

  /// The server outlives the driver, whose idle connections it would else wait for.
  HttpsServer& serve(HttpsServer::Handler handler = {}, const Certificate* certificate = nullptr) {
    servers_.push_back(std::make_unique<HttpsServer>(std::move(handler), certificate));
    return *servers_.back();
  }

  std::string refusal(const sidecar::DestinationConfig& config) {
    sidecar::Result<std::unique_ptr<sidecar::Transport>> made =
        driver_.make_transport(config, {"application/json", ""}, log_);
    return made.ok() ? "" : made.error().message;
  }

  static sidecar::Attempt attempt(sidecar::AttemptId id, std::string_view body = "[{}]") {
    sidecar::Attempt attempt;
    attempt.id = id;
    attempt.body = body;
    attempt.batch_id = "batch-1";
    return attempt;
  }

  void start(const sidecar::Attempt& attempt) {
    sidecar::Now now = clock_.now();
    now.mono += later_;
    transport_->start(attempt, now);
  }
  void start(sidecar::AttemptId id, std::string_view body = "[{}]") { start(attempt(id, body)); }

  void turn() {
    driver_.do_work(clock_.now());
    transport_->collect(clock_.now(), done_);
    const sidecar::Duration sleep = sidecar::time_left(driver_.next_deadline(), clock_.now().mono,
                                                       std::chrono::milliseconds(20));
    reactor_.wait(done_.empty() ? sleep : sidecar::Duration::zero());
  }

  template <typename Condition>
  bool run_until(Condition condition) {
    const sidecar::MonoTime deadline = clock_.now().mono + std::chrono::seconds(30);
    while (!condition()) {
      if (clock_.now().mono > deadline) return false;
      turn();
    }
    return true;
  }

  sidecar::Completion finish_one() {
    if (!run_until([&] { return !done_.empty(); })) {
      ADD_FAILURE() << "the attempt does not complete";
      return {};
    }
    sidecar::Completion completion = done_.front();
    done_.erase(done_.begin());
    return completion;
  }

  sidecar::Completion send(const sidecar::DestinationConfig& config,
                           std::string_view body = "[{}]") {
    open(config);
    start(1, body);
    return finish_one();
  }

  std::string write(const std::string& name, const std::string& text) {
    std::ofstream(dir_.file(name)) << text;
    return dir_.file(name);
  }

  TempDir dir_;
  std::vector<std::unique_ptr<HttpsServer>> servers_;
  sidecar::SystemClock clock_;
  MemoryLog log_;
  sidecar::Duration later_{};  ///< by how much starts are ahead, so that files are looked at again
  sidecar::Reactor reactor_;
  /// Files that have changed are seen by the next request, however busy the machine is.
  sidecar::CurlDriver driver_{reactor_, std::chrono::seconds(20)};
  std::unique_ptr<sidecar::Transport> transport_;
  std::vector<sidecar::Completion> done_;
};

}  // namespace outrider::test
