#include "sidecar/app/host.hpp"

#include <future>

#include <gtest/gtest.h>

#include "support/memory_log.hpp"
#include "support/temp_dir.hpp"

namespace outrider::sidecar {
namespace {

TEST(Host, EndsByItselfWhenAStopFindsNothingToDo) {
  const test::TempDir dir;
  test::MemoryLog log;
  Config config;
  config.ingest.endpoints = {"ipc://" + dir.file("o.sock")};
  config.destinations.resize(1);
  config.destinations[0].name = "audit";
  config.destinations[0].type = DestinationType::file;
  config.destinations[0].path = dir.file("audit.ndjson");
  auto host = Host::open(config, log);
  ASSERT_TRUE(host.ok());

  auto run = std::async(std::launch::async, [&] { host.value()->run(); });
  host.value()->request_stop();
  const bool has_ended = run.wait_for(std::chrono::seconds(30)) == std::future_status::ready;
  EXPECT_TRUE(has_ended);
  if (!has_ended) host.value()->request_stop();  // ends the wait, and so this test
}

}  // namespace
}  // namespace outrider::sidecar
