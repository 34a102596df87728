// A transport whose answers the test decides: by hand, or by a rule for every attempt.
#pragma once

#include <deque>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "sidecar/deliver/transport.hpp"

namespace outrider::test {

/// What the test sees of an attempt.
struct SeenAttempt {
  sidecar::AttemptId id;
  std::string batch_id;
  std::string body;
  std::vector<std::string> topics;
  bool wants_answer = false;
};

class FakeTransport final : public sidecar::Transport {
 public:
  void start(const sidecar::Attempt& attempt, const sidecar::Now& now) override {
    SeenAttempt seen{attempt.id,
                     std::string(attempt.batch_id),
                     std::string(attempt.body),
                     {},
                     attempt.wants_answer};
    for (const auto topic : *attempt.topics) seen.topics.emplace_back(topic);
    open[attempt.id] = seen;
    if (on_start) on_start(seen, now);
    started.push_back(std::move(seen));
  }
  void cancel(sidecar::AttemptId id) override {
    if (on_cancel && open.contains(id)) on_cancel(open.at(id));
    open.erase(id);
    ++cancelled;
  }
  void collect(const sidecar::Now& now, std::vector<sidecar::Completion>& completions) override {
    if (on_collect) on_collect(now);
    for (sidecar::Completion& completion : ready) completions.push_back(std::move(completion));
    ready.clear();
  }
  sidecar::MonoTime next_deadline() const override {
    return on_next_deadline ? on_next_deadline() : sidecar::never;
  }
  void hurry(const sidecar::Now&) override {
    if (on_hurry) on_hurry();
  }
  std::uint64_t held() const override { return still_held; }
  void close(sidecar::MonoTime) override { is_closed = true; }

  /// Completes an attempt at the next turn.
  void complete(sidecar::Completion completion) {
    open.erase(completion.id);
    ready.push_back(std::move(completion));
  }
  /// The oldest attempt without a completion is answered.
  void answer(int status, std::optional<sidecar::Duration> retry_after = std::nullopt) {
    sidecar::Completion completion;
    completion.id = open.begin()->first;
    completion.result = sidecar::AttemptResult::answered;
    completion.status = status;
    completion.retry_after = retry_after;
    complete(completion);
  }
  void answer_in_words(int status, const std::string& words) {
    sidecar::Completion completion;
    completion.id = open.begin()->first;
    completion.result = sidecar::AttemptResult::answered;
    completion.status = status;
    completion.detail = words;
    complete(completion);
  }
  void fail(const std::string& detail = "connection refused") {
    sidecar::Completion completion;
    completion.id = open.begin()->first;
    completion.detail = detail;
    complete(completion);
  }

  std::uint64_t still_held = 0;
  std::map<sidecar::AttemptId, SeenAttempt> open;  ///< started, not completed
  std::vector<SeenAttempt> started;                ///< all of them, in order
  std::deque<sidecar::Completion> ready;
  std::function<void(const SeenAttempt&, const sidecar::Now&)> on_start;
  std::function<void(const sidecar::Now&)> on_collect;
  std::function<void(const SeenAttempt&)> on_cancel;
  std::function<sidecar::MonoTime()> on_next_deadline;
  std::function<void()> on_hurry;
  int cancelled = 0;
  bool is_closed = false;
};

}  // namespace outrider::test
