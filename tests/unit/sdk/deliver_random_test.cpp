// Whatever the sidecar does, each delivered event ends once, and what is confirmed was taken.
#include <atomic>
#include <chrono>
#include <map>
#include <memory>
#include <random>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

#include "outrider/client.hpp"
#include "proto/refusal.hpp"
#include "unit/sdk/confirmer.hpp"

namespace outrider::test {
namespace {

using namespace std::chrono_literals;

constexpr std::uint64_t threads_max = 3;
constexpr std::uint64_t events_each = 3'000;

/// Takes frames once, by client and number, as the sidecar does, and answers badly: late, twice,
/// not at all, with garbage, "not now" and refusals; now and then it is gone and comes back.
class MoodySidecar {
 public:
  MoodySidecar(const std::string& endpoint, unsigned seed) : endpoint_(endpoint), random_(seed) {}

  void step() {
    if (confirmer_ == nullptr) confirmer_ = std::make_unique<Confirmer>(endpoint_);
    if (!confirmer_->receive_frame(5ms)) return answer_late_ones();
    answer(confirmer_->frames.back());
    if (one_in(50)) {
      late_.clear();
      confirmer_.reset();
    }
  }

  std::atomic<bool> is_kind = false;  ///< from now on every frame is answered, and truly
  std::set<std::string> taken;        ///< the datas of the events
  std::set<std::string> refused;

 private:
  bool one_in(unsigned n) { return !is_kind && random_() % n == 0; }

  void answer(const ConfirmedFrame& frame) {
    if (frame.sequence > highest_) highest_ = frame.sequence;
    EXPECT_LT(highest_ - frame.sequence, proto::confirm_window_frames);
    if (one_in(20)) confirmer_->send(frame.peer, "garbage");
    const auto [known, is_new] = answers_.try_emplace(frame.sequence);
    if (is_new) {
      known->second.bytes = frame.bytes;
      if (one_in(10)) {
        answers_.erase(known);
        return confirmer_->answer(frame, static_cast<std::uint64_t>(proto::Refusal::spool_full));
      }
      take(frame, known->second.answer);
    }
    EXPECT_EQ(known->second.bytes, frame.bytes) << "sent again, but changed";
    if (one_in(30)) {
      // Lost: the client must not wait ten seconds for it here, so the connection goes too.
      late_.clear();
      return confirmer_.reset();
    }
    if (one_in(3)) return late_.push_back(frame);
    reply(frame);
    if (one_in(5)) reply(frame);
  }

  void take(const ConfirmedFrame& frame, proto::ConfirmAnswer& answer) {
    answer.sequence = frame.sequence;
    if (one_in(15)) answer.status = static_cast<std::uint64_t>(proto::Refusal::frame_version);
    for (std::uint32_t i = 0; i < frame.datas.size(); ++i) {
      bool is_refused = answer.status != 0;
      if (!is_refused && one_in(40)) {
        answer.refused.push_back({i, static_cast<std::uint32_t>(proto::Refusal::event_time)});
        is_refused = true;
      }
      EXPECT_TRUE((is_refused ? refused : taken).insert(frame.datas[i]).second) << "twice";
    }
  }

  void answer_late_ones() {
    std::shuffle(late_.begin(), late_.end(), random_);
    for (const ConfirmedFrame& frame : late_) reply(frame);
    late_.clear();
  }
  void reply(const ConfirmedFrame& frame) {
    confirmer_->send(frame.peer, proto::write_confirm_answer(answers_.at(frame.sequence).answer));
  }

  struct Known {
    std::string bytes;
    proto::ConfirmAnswer answer;
  };
  const std::string endpoint_;
  std::mt19937 random_;
  std::unique_ptr<Confirmer> confirmer_;
  std::vector<ConfirmedFrame> late_;
  std::map<std::uint64_t, Known> answers_;  ///< of the one client there is
  std::uint64_t highest_ = 0;
};

class DeliverRandomTest : public testing::TestWithParam<unsigned> {};

TEST_P(DeliverRandomTest, EveryEventEndsOnceAndConfirmedMeansTaken) {
  ScratchFolder folder;
  const std::string endpoint = folder.endpoint();
  Options options;
  options.confirm_endpoint = endpoint.c_str();
  options.deliver_bytes_max = 64U << 10U;
  options.frame_bytes_max = 8U << 10U;
  options.reconnect_initial_ms = 1;
  options.reconnect_max_ms = 5;
  Client client(options);
  MoodySidecar sidecar(endpoint, GetParam());
  Background running([&] { sidecar.step(); });

  // What each event was told, by its number; 0 for what was not taken.
  std::vector<std::atomic<int>> told(threads_max * events_each);
  std::vector<std::atomic<int>> outcome(threads_max * events_each);
  std::atomic<std::uint64_t> taken = 0;
  std::vector<std::thread> threads;
  for (std::uint64_t t = 0; t < threads_max; ++t) {
    threads.emplace_back([&, t] {
      for (std::uint64_t i = t * events_each; i < (t + 1) * events_each; ++i) {
        const Status status = client.deliver("t", i, [&, i](Status confirmed) {
          outcome[i] = static_cast<int>(confirmed);
          ++told[i];
        });
        if (status == Status::ok) ++taken;
        ASSERT_TRUE(status == Status::ok || status == Status::full);
        // Frame by frame, so that the sidecar has its moods between them.
        if (i % 50 == 0) eventually([&] { return client.stats().unconfirmed_events < 100; });
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  const outrider_stats midway = client.stats();
  EXPECT_EQ(midway.delivered, threads_max * events_each);
  EXPECT_EQ(midway.delivered - midway.rejected_deliveries, taken);
  sidecar.is_kind = true;
  EXPECT_TRUE(client.flush(patience));
  EXPECT_EQ(client.close(patience), Status::ok);
  running.stop();

  std::uint64_t confirmed = 0;
  std::uint64_t refused = 0;
  for (std::uint64_t i = 0; i < told.size(); ++i) {
    ASSERT_LE(told[i], 1) << "event " << i;
    if (told[i] == 0) continue;
    msgpack::sbuffer data;
    msgpack::pack(data, i);
    const std::string packed(data.data(), data.size());
    const bool is_confirmed = outcome[i] == OUTRIDER_OK;
    EXPECT_TRUE((is_confirmed ? sidecar.taken : sidecar.refused).contains(packed)) << i;
    ++(is_confirmed ? confirmed : refused);
  }
  EXPECT_EQ(confirmed + refused, taken);
  EXPECT_EQ(confirmed, sidecar.taken.size());
  const outrider_stats stats = client.stats();
  EXPECT_EQ(stats.confirmed_events, confirmed);
  EXPECT_EQ(stats.refused_events, refused);
  EXPECT_EQ(stats.unconfirmed_events + stats.expired_events, 0U);
  EXPECT_GT(refused, 0U) << "the sidecar was not moody enough to test anything";
}

INSTANTIATE_TEST_SUITE_P(Seeds, DeliverRandomTest, testing::Range(1U, 5U));

}  // namespace
}  // namespace outrider::test
