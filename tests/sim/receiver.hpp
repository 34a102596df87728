// The false outside world of one destination in the simulation: it answers the attempts of a fake
// transport as the weather says, and remembers what a real receiver would have got.
#pragma once

#include <algorithm>
#include <functional>
#include <initializer_list>
#include <limits>
#include <map>
#include <set>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "sidecar/base/random.hpp"
#include "sidecar/config/destination_config.hpp"
#include "support/fake_transport.hpp"

namespace outrider::test {

/// How the outside world treats one destination, for a while: probabilities of what an attempt
/// meets.
struct Weather {
  double failure = 0;          ///< no answer: refused, reset
  double other_url = 0;        ///< of the failures: another url is up
  double lost_answer = 0;      ///< received, but the answer never came
  double overloaded = 0;       ///< 408, 425, 429 or 5xx, sometimes with Retry-After
  double refused = 0;          ///< 400, 404 or a redirect
  double unsendable = 0;       ///< no request can be made of it
  double conflict = 0;         ///< 409, which the configuration may call delivered
  double unauthorised = 0;     ///< 401 or 403
  double gone = 0;             ///< 410
  double too_large = 0;        ///< 413 for batches of more than one event
  bool hates_sevens = false;   ///< 413 for whatever holds an event whose number ends in 7
  double congested = 0;        ///< takes only a part
  double subscriber_full = 0;  ///< and of that one is lost
  sidecar::Duration latency_max = std::chrono::milliseconds(1);
};

class Receiver {
 public:
  Receiver(const sidecar::DestinationConfig& config, std::uint64_t seed)
      : config_(config), random_(seed) {}

  /// From here on it is behind this transport, of a sidecar that has begun to run.
  void attach(FakeTransport& transport) {
    transport_ = &transport;
    due_.clear();
    started_events_ = 0;
    first_start_ = {};
    resting_until_ = {};
    is_stopping = false;
    transport.on_start = [this](const SeenAttempt& attempt, const sidecar::Now& now) {
      const auto latency = static_cast<std::uint64_t>(weather.latency_max.count());
      due_[attempt.id] =
          now.mono + sidecar::Duration(static_cast<std::int64_t>(random_.below(latency + 1)));
      const std::vector<Event> events = events_of(attempt.body);
      started_events_ += events.size();
      check_starts(events);
      if (first_start_ == sidecar::MonoTime{}) first_start_ = now.mono;
      check_rate(now);
      EXPECT_TRUE(is_stopping || now.mono >= resting_until_)
          << config_.name << " sends though Retry-After asked it not to";
    };
    transport.on_cancel = [this](const SeenAttempt& attempt) { cut_off(attempt); };
    transport.on_collect = [this](const sidecar::Now& now) { answer_due(now); };
    transport.on_next_deadline = [this] {
      sidecar::MonoTime next = sidecar::never;
      for (const auto& [id, due] : due_) next = std::min(next, due);
      return next;
    };
  }

  /// The sidecar has died: what was on its way has arrived, or has not.
  void cut_off_all() {
    for (const auto& [id, attempt] : transport_->open) cut_off(attempt);
  }
  /// What comes from here on may stand before what has come.
  void forget_order() { last_of_key_.clear(); }

  /// Ids received, and how often.
  const std::map<std::string, int>& received() const { return received_; }
  std::set<std::uint64_t> numbers() const {
    std::set<std::uint64_t> numbers;
    for (const auto& [number, id] : ids_) numbers.insert(number);
    return numbers;
  }
  std::uint64_t lost() const { return lost_; }
  /// Of those received, the ones whose answer was lost at least once.
  const std::set<std::string>& unknown() const { return unknown_; }
  void note_unknown(const std::string& id) { unknown_.insert(id); }

  /// An event's place in the order of its key: events of one stream are compared with each other.
  struct Place {
    char stream = 0;
    std::uint64_t order = 0;  ///< 0: it has none
  };
  /// By default its number, in one stream.
  std::function<Place(std::uint64_t number)> place_of = [](std::uint64_t number) {
    return Place{0, number};
  };
  /// If it is set, and nothing is kept in order by key: events leave the queue for the first time
  /// by priority and then by number.
  std::function<int(std::uint64_t number)> priority_of;
  /// Called for every event that arrives.
  std::function<void(std::uint64_t number, const std::string& id)> on_receive =
      [](std::uint64_t, const std::string&) {};

  Weather weather;
  bool is_stopping = false;

 private:
  struct Event {
    std::string id;
    std::string key;
    std::uint64_t number = 0;
  };

  static std::string after(const std::string& line, const std::string& name, char end) {
    const std::size_t at = line.find(name);
    if (at == std::string::npos) return "";
    const std::size_t begin = at + name.size();
    return line.substr(begin, line.find(end, begin) - begin);
  }

  static std::vector<Event> events_of(const std::string& body) {
    std::vector<Event> events;
    for (std::size_t at = 0; at < body.size();) {
      const std::size_t end = body.find('\n', at);
      const std::string line = body.substr(at, end - at);
      events.push_back({after(line, "{\"id\":\"", '"'), after(line, "\"key\":\"", '"'),
                        std::stoull(after(line, "{\"n\":", '}'))});
      at = end + 1;
    }
    return events;
  }

  /// Over any time, no more leaves than the rate allows and one second keeps, but for the batch
  /// that is paid for afterwards.
  void check_rate(const sidecar::Now& now) {
    if (config_.rate_max.events_per_s == 0) return;
    const double elapsed_s = std::chrono::duration<double>(now.mono - first_start_).count();
    const double allowed = config_.rate_max.events_per_s * (elapsed_s + 1) +
                           static_cast<double>(config_.batch_events_max);
    EXPECT_LE(static_cast<double>(started_events_), allowed + 1) << config_.name;
  }

  /// Retries and halves may come in any order, but nothing overtakes in the queue.
  void check_starts(const std::vector<Event>& events) {
    if (!priority_of || config_.ordering == sidecar::Ordering::key) return;
    int lowest = std::numeric_limits<int>::max();
    for (const Event& event : events) {
      if (!started_.insert(event.number).second) continue;
      const int priority = priority_of(event.number);
      EXPECT_LE(priority, lowest) << config_.name << ": event " << event.number << " of a request";
      lowest = priority;
      std::uint64_t& last = last_of_priority_[priority];
      EXPECT_GT(event.number, last)
          << config_.name << " sent event " << event.number << " too late";
      last = event.number;
    }
  }

  int one_of(std::initializer_list<int> statuses) {
    return statuses.begin()[random_.below(statuses.size())];
  }

  static bool has_seven(const std::vector<Event>& events) {
    return std::ranges::any_of(events, [](const Event& event) { return event.number % 10 == 7; });
  }

  void answer_due(const sidecar::Now& now) {
    for (auto it = due_.begin(); it != due_.end();) {
      const auto open = transport_->open.find(it->first);
      if (open == transport_->open.end()) {
        it = due_.erase(it);
      } else if (it->second <= now.mono) {
        answer(open->second, now);
        it = due_.erase(it);
      } else {
        ++it;
      }
    }
  }

  void answer(const SeenAttempt& attempt, const sidecar::Now& now) {
    sidecar::Completion completion;
    completion.id = attempt.id;
    completion.result = sidecar::AttemptResult::answered;
    completion.status = 200;
    const std::vector<Event> events = events_of(attempt.body);
    if (random_.chance(weather.failure)) {
      completion.result = sidecar::AttemptResult::failed;
      completion.detail = "connection reset";
      completion.has_alternative = random_.chance(weather.other_url);
    } else if (random_.chance(weather.lost_answer)) {
      completion.result = sidecar::AttemptResult::failed;
      completion.detail = "timeout";
      receive(events, events.size());
      for (const Event& event : events) unknown_.insert(event.id);
    } else if (random_.chance(weather.overloaded)) {
      completion.status = one_of({408, 425, 429, 500, 502, 503, 504});
      if (random_.chance(0.5)) {
        completion.retry_after = std::chrono::seconds(random_.below(4));
        // With another url up only that url rests.
        completion.has_alternative = random_.chance(weather.other_url);
      }
      // A destination that stops does not wait for long, whatever it is asked for.
      if (!completion.has_alternative && completion.retry_after && !is_stopping) {
        resting_until_ = std::max(resting_until_, now.mono + *completion.retry_after);
      }
    } else if (random_.chance(weather.refused)) {
      completion.status = one_of({301, 307, 400, 404, 422});
    } else if (random_.chance(weather.unsendable)) {
      completion.result = sidecar::AttemptResult::unsendable;
    } else if (random_.chance(weather.conflict)) {
      completion.status = 409;
      const bool is_taken = std::ranges::any_of(
          config_.status_actions, [](const auto& action) { return action.first == 409; });
      if (is_taken) receive(events, events.size());
    } else if (random_.chance(weather.unauthorised)) {
      completion.status = one_of({401, 403});
    } else if (random_.chance(weather.gone)) {
      completion.status = 410;
    } else if (weather.hates_sevens && has_seven(events)) {
      completion.status = 413;
    } else if (events.size() > 1 && random_.chance(weather.too_large)) {
      completion.status = 413;
    } else if (random_.chance(weather.congested)) {
      completion.result = sidecar::AttemptResult::sent_some;
      completion.events_sent = static_cast<std::uint32_t>(random_.below(events.size() + 1));
      const bool has_lost = completion.events_sent > 0 && random_.chance(weather.subscriber_full);
      if (has_lost) completion.events_lost = 1;
      lost_ += completion.events_lost;
      receive(events, completion.events_sent - completion.events_lost);
    } else {
      receive(events, events.size());
    }
    transport_->complete(completion);
  }

  /// Nobody will ever know what the receiver said to it.
  void cut_off(const SeenAttempt& attempt) {
    if (!random_.chance(0.5)) return;
    const std::vector<Event> events = events_of(attempt.body);
    receive(events, events.size());
    for (const Event& event : events) unknown_.insert(event.id);
  }

  void receive(const std::vector<Event>& events, std::size_t count) {
    for (std::size_t i = 0; i < count; ++i) {
      const auto& [id, key, number] = events[i];
      const bool is_first = ++received_[id] == 1;
      EXPECT_EQ(ids_.try_emplace(number, id).first->second, id)
          << "event " << number << " was taken twice";
      on_receive(number, id);
      if (!is_first || config_.ordering != sidecar::Ordering::key || key.empty()) continue;
      const auto [stream, order] = place_of(number);
      if (order == 0) continue;
      std::uint64_t& last = last_of_key_[key + stream];
      EXPECT_GT(order, last) << config_.name << " got event " << number << " of a key too late";
      last = order;
    }
  }

  const sidecar::DestinationConfig& config_;
  FakeTransport* transport_ = nullptr;
  sidecar::Random random_;
  std::map<sidecar::AttemptId, sidecar::MonoTime> due_;
  std::map<std::string, int> received_;
  std::map<std::uint64_t, std::string> ids_;  ///< of the numbers received
  std::map<std::string, std::uint64_t> last_of_key_;
  std::set<std::uint64_t> started_;
  std::map<int, std::uint64_t> last_of_priority_;
  std::set<std::string> unknown_;
  std::uint64_t lost_ = 0;
  std::uint64_t started_events_ = 0;
  sidecar::MonoTime first_start_{};
  sidecar::MonoTime resting_until_{};
};

}  // namespace outrider::test
