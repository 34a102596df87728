// What a client says of why its events wait.
#include <chrono>
#include <string>
#include <thread>

#include <gtest/gtest.h>

#include "outrider/client.hpp"
#include "proto/refusal.hpp"
#include "unit/sdk/confirmer.hpp"

namespace outrider::test {
namespace {

using namespace std::chrono_literals;

Options options(const std::string& endpoint, const std::string& confirm_endpoint) {
  Options options;
  options.endpoint = endpoint.c_str();
  options.confirm_endpoint = confirm_endpoint.c_str();
  options.reconnect_initial_ms = 5;
  options.reconnect_max_ms = 20;
  options.linger_ms = 0;
  return options;
}

/// The client says so before long.
bool says(const Client& client, const std::string& text) {
  const auto deadline = std::chrono::steady_clock::now() + patience;
  while (std::string(client.obstacle()).find(text) == std::string::npos) {
    if (std::chrono::steady_clock::now() > deadline) {
      ADD_FAILURE() << text << ", and not: " << client.obstacle();
      return false;
    }
    std::this_thread::yield();
  }
  return true;
}

class ObstacleTest : public testing::Test {
 protected:
  const ScratchFolder folder_;
  const ScratchFolder confirm_folder_;
  const std::string endpoint_ = folder_.endpoint();
  const std::string confirm_endpoint_ = confirm_folder_.endpoint();
};

TEST_F(ObstacleTest, NobodyIsThere) {
  Client client(options(endpoint_, confirm_endpoint_));
  EXPECT_STREQ(client.obstacle(), "") << "nothing waits";
  EXPECT_EQ(client.emit("a", {{"n", 1}}), Status::ok);
  EXPECT_FALSE(client.flush(0ms));
  EXPECT_TRUE(says(client, "no sidecar is connected"));
  EXPECT_EQ(client.close(0ms), Status::timeout);
  EXPECT_TRUE(says(client, "no sidecar is connected")) << "also after the end";
}

TEST_F(ObstacleTest, NobodyIsThereToConfirm) {
  Client client(options(endpoint_, confirm_endpoint_));
  EXPECT_EQ(client.deliver_wait(0ms, "a", {{"n", 1}}), Status::timeout);
  EXPECT_TRUE(says(client, "no sidecar is connected"));
  EXPECT_EQ(client.close(0ms), Status::timeout);
  EXPECT_TRUE(says(client, "no sidecar is connected")) << "also after the end";
}

TEST_F(ObstacleTest, WhatTheSidecarAnswers) {
  Confirmer confirmer(confirm_endpoint_);
  Client client(options(endpoint_, confirm_endpoint_));
  const auto confirmed = client.deliver("a", {{"n", 1}});
  ASSERT_TRUE(confirmer.receive(1));
  EXPECT_TRUE(says(client, "has not answered yet"));
  confirmer.answer(confirmer.frames[0], static_cast<std::uint64_t>(proto::Refusal::disk_full));
  EXPECT_TRUE(says(client, "the spool's disk is full"));
  ASSERT_TRUE(confirmer.receive(2));
  confirmer.answer(confirmer.frames[1], 200);
  EXPECT_TRUE(says(client, "takes no events at the moment")) << "a number of a later sidecar";
  ASSERT_TRUE(confirmer.receive(3));
  const auto full = static_cast<std::uint32_t>(proto::Refusal::destination_full);
  confirmer.answer(confirmer.frames[2], 0, {{0, full}});
  EXPECT_TRUE(says(client, "has reached its spool_bytes_max"));
  ASSERT_TRUE(confirmer.receive(4));
  confirmer.answer(confirmer.frames[3]);
  EXPECT_TRUE(client.flush(patience));
  EXPECT_STREQ(client.obstacle(), "");
}

TEST_F(ObstacleTest, TheOtherEndpoint) {
  const Confirmer confirmer(confirm_endpoint_);
  Client client(options(confirm_endpoint_, confirm_endpoint_));
  EXPECT_EQ(client.emit("a", {{"n", 1}}), Status::ok);
  EXPECT_TRUE(says(client, "belongs to its other endpoint"));
}

}  // namespace
}  // namespace outrider::test
