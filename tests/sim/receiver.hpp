// The false outside world of one destination in the simulation: it answers the attempts of a fake
// transport as the weather at each of its urls says, and remembers what a real receiver would have
// got. Which url an attempt goes to is decided as CurlTransport does it, by a UrlSet.
#pragma once

#include <algorithm>
#include <functional>
#include <limits>
#include <map>
#include <set>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "sidecar/base/random.hpp"
#include "sidecar/config/destination_config.hpp"
#include "sidecar/deliver/outcome.hpp"
#include "sidecar/http/retry_after.hpp"
#include "sidecar/http/url_set.hpp"
#include "sidecar/spool/lane.hpp"
#include "sim/weather.hpp"
#include "support/fake_transport.hpp"
#include "support/verdicts.hpp"

namespace outrider::test {

class Receiver {
 public:
  Receiver(const sidecar::DestinationConfig& config, std::uint64_t seed)
      : weather(std::max<std::size_t>(config.urls.size(), 1)), config_(config), random_(seed) {}

  /// From here on it is behind this transport, of a sidecar that has begun to run.
  void attach(FakeTransport& transport) {
    transport_ = &transport;
    urls_ =
        sidecar::UrlSet(weather.size(), {config_.retry_initial, config_.retry_max}, random_.next());
    open_.clear();
    late_.clear();
    started_events_ = 0;
    first_start_ = {};
    tried_since_.clear();
    heard_of_.clear();
    rests_until_.assign(weather.size(), {});
    requests_.assign(weather.size(), 0);
    is_gone_ = false;
    is_stopping = false;
    transport.on_start = [this](const SeenAttempt& attempt, const sidecar::Now& now) {
      start(attempt, now);
    };
    transport.on_cancel = [this](const SeenAttempt& attempt) {
      cut_off(attempt);
      urls_.cancelled(open_.at(attempt.id).ticket);
      open_.erase(attempt.id);
    };
    transport.on_collect = [this](const sidecar::Now& now) {
      answer_due(now);
      answer_late(now);
    };
    transport.on_next_deadline = [this] {
      sidecar::MonoTime next = sidecar::never;
      for (const auto& [id, open] : open_) next = std::min(next, open.due);
      for (const auto& [due, completion] : late_) next = std::min(next, due);
      return next;
    };
  }

  void change_weather(const Weather& next) { weather[random_.below(weather.size())] = next; }
  /// All is well at last.
  void clear_up() {
    weather.assign(weather.size(), {});
    has_descriptors = true;
    requests_.assign(weather.size(), 0);
  }
  /// Since it has cleared up, and for long enough, every url got its part of the requests.
  void check_urls() const {
    std::uint64_t requests = 0;
    for (const std::uint64_t of_url : requests_) requests += of_url;
    if (is_gone_ || requests < 4 * requests_.size()) return;
    for (std::size_t url = 0; url < requests_.size(); ++url) {
      EXPECT_GT(requests_[url], 0U) << config_.name << " has forgotten its url " << url;
    }
  }

  /// The sidecar has died: what was on its way has arrived, or has not.
  void cut_off_all() {
    for (const auto& [id, attempt] : transport_->open) cut_off(attempt);
  }
  /// What comes from here on may stand before what has come.
  void forget_order() { last_of_key_.clear(); }
  /// While the disk loses something, old events may return from before what has come.
  void begin_loss() { is_order_lost_ = true; }
  void end_loss() {
    is_order_lost_ = false;
    forget_order();
  }

  /// Ids received, and how often.
  const std::map<std::string, int>& received() const { return received_; }
  /// Of those, the ones that it has said yes to, and how often.
  const std::map<std::string, int>& taken() const { return taken_; }
  std::set<std::uint64_t> numbers() const {
    std::set<std::uint64_t> numbers;
    for (const auto& [number, id] : ids_) numbers.insert(number);
    return numbers;
  }
  std::uint64_t lost() const { return lost_; }
  /// Of those received, the ones whose answer was lost at least once.
  const std::set<std::string>& unknown() const { return unknown_; }
  void note_unknown(const std::string& id) { unknown_.insert(id); }

  /// Since the sidecar has begun to run the event was tried for as long as it may be; or for the
  /// part of `spool_age_max` that is due to each, and then the destination has answered an attempt
  /// with it, and not taken it.
  bool may_be_too_old(const std::string& id, const sidecar::Now& now) const {
    const auto tried = tried_since_.find(id);
    if (tried == tried_since_.end()) return false;
    if (now.mono - tried->second >= config_.retry_age_max) return true;
    const auto heard = heard_of_.find(id);
    return heard != heard_of_.end() &&
           heard->second - tried->second >= config_.spool_age_max / sidecar::Lane::tried_divisor;
  }

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

  std::vector<Weather> weather;  ///< by url
  bool has_descriptors = true;   ///< the process has some left for a request
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

  int one_of(const std::vector<int>& statuses) { return statuses[random_.below(statuses.size())]; }

  static bool is_overload(int status) {
    return status == 408 || status == 421 || status == 425 || status == 429 || status / 100 == 5;
  }
  /// The receiver has taken the events, or has had them before.
  bool is_yes(int status) const {
    const bool is_taken = std::ranges::any_of(
        config_.status_actions, [](const auto& action) { return action.first == 409; });
    return status / 100 == 2 || (status == 409 && is_taken);
  }

  static bool has_seven(const std::vector<Event>& events) {
    return std::ranges::any_of(events, [](const Event& event) { return event.number % 10 == 7; });
  }

  struct Open {
    sidecar::MonoTime due;
    sidecar::UrlSet::Ticket ticket;
    bool is_sent = true;
  };

  void start(const SeenAttempt& attempt, const sidecar::Now& now) {
    const std::vector<Event> events = events_of(attempt.body);
    started_events_ += events.size();
    for (const Event& event : events) tried_since_.try_emplace(event.id, now.mono);
    check_starts(events);
    if (first_start_ == sidecar::MonoTime{}) first_start_ = now.mono;
    check_rate(now);
    Open open{now.mono, urls_.take(now), has_descriptors};
    const std::size_t url = open.ticket.url;
    ++requests_[url];
    EXPECT_TRUE(is_stopping || now.mono >= rests_until_[url])
        << config_.name << " sends to url " << url << " though Retry-After asked it not to";
    if (!has_descriptors && random_.chance(0.5)) {
      // There is not even a request, so it is not the url's fault.
      urls_.cancelled(open.ticket);
      transport_->complete(failure(attempt.id, "libcurl rejects the request"));
      return;
    }
    const auto latency = static_cast<std::uint64_t>(weather[url].latency_max.count());
    if (has_descriptors) {
      open.due += sidecar::Duration(static_cast<std::int64_t>(random_.below(latency + 1)));
    }
    open_[attempt.id] = open;
  }

  void answer_due(const sidecar::Now& now) {
    for (auto it = open_.begin(); it != open_.end();) {
      if (it->second.due <= now.mono) {
        answer(transport_->open.at(it->first), it->second, now);
        it = open_.erase(it);
      } else {
        ++it;
      }
    }
  }

  void answer_late(const sidecar::Now& now) {
    std::erase_if(late_, [&](const auto& late) {
      if (late.first > now.mono) return false;
      transport_->ready.push_back(late.second);
      return true;
    });
  }

  static sidecar::Completion failure(sidecar::AttemptId id, const char* why) {
    sidecar::Completion completion;
    completion.id = id;
    completion.detail = why;
    return completion;
  }

  void answer(const SeenAttempt& attempt, const Open& open, const sidecar::Now& now) {
    const Weather& here = weather[open.ticket.url];
    const std::vector<Event> events = events_of(attempt.body);
    sidecar::Completion completion;
    if (!open.is_sent) {
      completion = failure(attempt.id, "Too many open files");
    } else if (random_.chance(here.failure)) {
      completion = failure(attempt.id, "connection reset");
      add_late(completion, here, events, now);
    } else if (random_.chance(here.lost_answer)) {
      completion = failure(attempt.id, "timeout");
      receive(events);
      for (const Event& event : events) unknown_.insert(event.id);
      add_late(completion, here, events, now);
    } else {
      completion = speak(attempt.id, here, events, now);
    }
    if (random_.chance(here.garbled)) garble(completion);
    settle(completion, open.ticket, now);
    const bool is_heard =
        completion.result == sidecar::AttemptResult::answered && !completion.has_alternative;
    for (const Event& event : events) {
      if (is_heard && !is_yes(completion.status)) heard_of_[event.id] = now.mono;
    }
    transport_->complete(completion);
  }

  /// It has read the request, and answers.
  sidecar::Completion speak(sidecar::AttemptId id, const Weather& here,
                            const std::vector<Event>& events, const sidecar::Now& now) {
    sidecar::Completion completion;
    completion.id = id;
    if (config_.type == sidecar::DestinationType::file) {
      completion.result = sidecar::AttemptResult::sent;
      take(events);
    } else if (random_.chance(here.unsendable)) {
      completion.result = sidecar::AttemptResult::unsendable;
    } else if (random_.chance(here.congested)) {
      const std::size_t sent = random_.below(events.size() + 1);
      const std::size_t lost = sent > 0 && random_.chance(here.subscriber_full) ? 1 : 0;
      send_in_part(completion, events.size(), sent, lost);
      lost_ += lost;
      take(std::span(events).subspan(lost, sent - lost));
    } else {
      completion.result = sidecar::AttemptResult::answered;
      completion.status = status_for(events, here);
      if (is_yes(completion.status)) take(events);
      if (completion.status == 410) is_gone_ = true;
      add_pause(completion, here, now);
    }
    return completion;
  }

  int status_for(const std::vector<Event>& events, const Weather& here) {
    struct Row {
      double Weather::*chance;
      std::vector<int> statuses;
    };
    static const Row rows[] = {
        {&Weather::overloaded, {408, 421, 425, 429, 500, 502, 503, 504, 599}},
        {&Weather::refused, {300, 301, 303, 304, 307, 400, 404, 405, 422, 451, 600, 999}},
        {&Weather::conflict, {409}},
        {&Weather::unauthorised, {401, 403, 407}},
        {&Weather::gone, {410}},
    };
    for (const Row& row : rows) {
      if (random_.chance(here.*row.chance)) return one_of(row.statuses);
    }
    if (here.hates_sevens && has_seven(events)) return 413;
    if (events.size() > 1 && random_.chance(here.too_large)) return 413;
    return one_of({200, 201, 202, 204, 206, 299});
  }

  /// Retry-After, as text.
  void add_pause(sidecar::Completion& completion, const Weather& here, const sidecar::Now& now) {
    static const std::vector<std::string> odd = {
        "-1",
        "-9223372036854775808",
        "0",
        "1.5",
        "soon",
        "86400",
        "9223372036854775807",
        "99999999999999999999999",
        "Thu, 01 Jan 1970 00:00:00 GMT",
        "Fri, 31 Dec 2261 23:59:59 GMT",
        "Fri, 31 Dec 9999 23:59:59 GMT",
    };
    std::string text;
    if (random_.chance(here.odd_pause)) {
      text = odd[random_.below(odd.size())];
    } else if (is_overload(completion.status) && random_.chance(0.5)) {
      text = std::to_string(random_.below(4));
    }
    completion.retry_after = sidecar::parse_retry_after(text, "", now.wall);
    completion.is_for_now = completion.retry_after.has_value();
    if (!completion.retry_after) return;
    EXPECT_GE(*completion.retry_after, sidecar::Duration::zero()) << text;
    EXPECT_LE(*completion.retry_after, sidecar::retry_after_max) << text;
  }

  /// What no receiver should say, and what makes no difference.
  void garble(sidecar::Completion& completion) {
    completion.is_cut = random_.chance(0.5);
    completion.detail = std::string(random_.below(1024), static_cast<char>(random_.next()));
    const bool is_answer = completion.result == sidecar::AttemptResult::answered;
    if (!is_answer) completion.status = one_of({200, 401, 410, 413, 500});
  }

  /// An answer for which nobody waits any more.
  void add_late(const sidecar::Completion& failed, const Weather& here,
                const std::vector<Event>& events, const sidecar::Now& now) {
    if (!random_.chance(here.late)) return;
    sidecar::Completion late;
    late.id = failed.id;
    late.result = sidecar::AttemptResult::answered;
    late.status = status_for(events, here);
    late_.emplace_back(now.mono + std::chrono::milliseconds(random_.below(5000)), late);
  }

  /// As CurlTransport does it.
  void settle(sidecar::Completion& completion, sidecar::UrlSet::Ticket ticket,
              const sidecar::Now& now) {
    if (completion.result == sidecar::AttemptResult::unsendable) {
      urls_.cancelled(ticket);
      return;
    }
    const sidecar::Outcome outcome = sidecar::outcome_of(completion, config_.status_actions);
    const bool is_retried = outcome == sidecar::Outcome::retry || outcome == sidecar::Outcome::hold;
    // A destination that stops does not wait for long, whatever it is asked for.
    if (is_retried && completion.retry_after && !is_stopping) {
      sidecar::MonoTime& until = rests_until_[ticket.url];
      until = std::max(until, now.mono + *completion.retry_after);
    }
    completion.way = static_cast<std::uint32_t>(ticket.url);
    const bool is_split = outcome == sidecar::Outcome::split;
    urls_.settle(ticket, is_split ? sidecar::unproved_split(completion.status) : outcome,
                 completion, now);
  }

  /// Nobody will ever know what the receiver said to it.
  void cut_off(const SeenAttempt& attempt) {
    if (!random_.chance(0.5)) return;
    const std::vector<Event> events = events_of(attempt.body);
    receive(events);
    for (const Event& event : events) unknown_.insert(event.id);
  }

  /// It has them, and says so.
  void take(std::span<const Event> events) {
    receive(events);
    for (const Event& event : events) ++taken_[event.id];
  }

  void receive(std::span<const Event> events) {
    for (const auto& [id, key, number] : events) {
      const bool is_first = ++received_[id] == 1;
      // Events without a number of their own are known by their ids alone.
      EXPECT_TRUE(number == 0 || ids_.try_emplace(number, id).first->second == id)
          << "event " << number << " was taken twice";
      on_receive(number, id);
      if (!is_first || is_order_lost_) continue;
      if (config_.ordering != sidecar::Ordering::key || key.empty()) continue;
      const auto [stream, order] = place_of(number);
      if (order == 0) continue;
      std::uint64_t& last = last_of_key_[key + stream];
      EXPECT_GT(order, last) << config_.name << " got event " << number << " of a key too late";
      last = order;
    }
  }

  const sidecar::DestinationConfig config_;
  FakeTransport* transport_ = nullptr;
  sidecar::Random random_;
  sidecar::UrlSet urls_{1, {}, 0};
  std::map<sidecar::AttemptId, Open> open_;
  std::vector<std::pair<sidecar::MonoTime, sidecar::Completion>> late_;
  std::map<std::string, int> received_;
  std::map<std::string, int> taken_;
  std::map<std::uint64_t, std::string> ids_;  ///< of the numbers received
  std::map<std::string, std::uint64_t> last_of_key_;
  std::set<std::uint64_t> started_;
  std::map<int, std::uint64_t> last_of_priority_;
  std::set<std::string> unknown_;
  std::uint64_t lost_ = 0;
  std::uint64_t started_events_ = 0;
  sidecar::MonoTime first_start_{};
  std::map<std::string, sidecar::MonoTime> tried_since_;  ///< ids, in this run
  std::map<std::string, sidecar::MonoTime> heard_of_;     ///< the same: the last failing answer
  std::vector<sidecar::MonoTime> rests_until_;            ///< by url
  std::vector<std::uint64_t> requests_;                   ///< by url
  bool is_gone_ = false;
  bool is_order_lost_ = false;
};

}  // namespace outrider::test
