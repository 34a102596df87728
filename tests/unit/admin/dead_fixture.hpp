// Routes in front of a spool with dead letters, in a directory of the test's own.
#pragma once

#include <algorithm>
#include <thread>

#include "sidecar/base/json_document.hpp"
#include "sidecar/inspect/dead_jobs.hpp"
#include "sidecar/spool/disk.hpp"
#include "support/numbered_record.hpp"
#include "support/temp_dir.hpp"
#include "unit/admin/admin_fixture.hpp"

namespace outrider::test {

class DeadFixture : public AdminFixture {
 protected:
  DeadFixture() {
    sidecar::open_disk()->prepare(path_);
    store_ = std::make_unique<sidecar::Store>(sidecar::Database(path_, sidecar::OpenMode::create));
    gate_->open();
    jobs_ = std::make_unique<sidecar::DeadJobs>(settings(path_), log_);
    dead_ = jobs_.get();
    use({});
  }

  sidecar::DeadJobs::Settings settings(const std::string& path) const {
    return {path, lane_bytes_, gate_};
  }

  /// Dead letters first to last, of `destination`.
  void bury(const std::string& destination, std::uint64_t first, std::uint64_t last,
            int status = 400) {
    store_->begin(false);
    for (std::uint64_t n = first; n <= last; ++n) {
      sidecar::DeadLetter letter;
      letter.reason = sidecar::DeadReason::refused;
      letter.status = status;
      letter.attempts = 2;
      letter.first_ns = clock_.now().wall_ns();
      letter.last_ns = letter.first_ns + n;
      letter.answer = "canary-answer";
      letter.record = numbered_record({.topic = "orders.paid", .number = n});
      store_->insert_dead(store_->destination(destination), letter);
    }
    store_->commit();
  }
  /// Events of it that wait on disk.
  void spool(const std::string& destination, std::uint64_t events) {
    sidecar::Block block;
    for (std::uint64_t n = 1; n <= events; ++n) {
      const auto record = numbered_record({.number = n});
      block.records.insert(block.records.end(), record.begin(), record.end());
      ++block.events;
    }
    store_->begin(false);
    store_->insert_block(store_->destination(destination), block);
    store_->commit();
  }

  std::int64_t count(const std::string& table) {
    return store_->database().number("SELECT count(*) FROM " + table);
  }

  /// As soon as it has ended, or is paced if that is wanted.
  sidecar::DeadJob wait_for_job(std::uint64_t id, bool wants_paced = false) {
    const auto deadline = std::chrono::steady_clock::now() + 30s;
    for (;;) {
      const auto job = jobs_->wait_for(id, 10ms);
      if (!job) return {};
      const bool is_paced = job->state == sidecar::DeadJobState::paced;
      if (job->has_ended() || (wants_paced && is_paced)) return *job;
      if (std::chrono::steady_clock::now() > deadline) return *job;
    }
  }

  static rapidjson::Document json_of(const sidecar::HttpAnswer& answer) {
    rapidjson::Document document;
    EXPECT_TRUE(sidecar::parse_json(*answer.body, document).ok()) << *answer.body;
    return document;
  }

  static constexpr std::uint64_t lane_bytes_ = 1U << 20U;
  const TempDir dir_;
  const std::string path_ = dir_.file("spool.db");
  const std::shared_ptr<sidecar::SpoolGate> gate_ = std::make_shared<sidecar::SpoolGate>();
  std::unique_ptr<sidecar::Store> store_;
  std::unique_ptr<sidecar::DeadJobs> jobs_;
};

}  // namespace outrider::test
