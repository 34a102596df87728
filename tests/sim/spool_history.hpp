// What the simulation of the spool knows of every event it ever sent, over all lives of the
// sidecar, and the clients that sent them.
//
// A client numbers its frames, keeps those that are not answered and sends them again, sometimes
// twice, and sometimes behind later ones. Its answers may be lost.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "proto/confirm.hpp"
#include "proto/frame_reader.hpp"
#include "proto/refusal.hpp"
#include "sidecar/base/clock.hpp"
#include "sidecar/base/random.hpp"
#include "support/frames.hpp"

namespace outrider::test {

struct SentEvent {
  std::uint64_t number = 0;
  std::string topic;
  std::string key;
  std::string id;  ///< empty: the sidecar gives it one
  std::uint64_t due_ns = 0;
  std::uint64_t ttl_ns = 0;   ///< 0: it lives for ever
  bool is_put_back = false;   ///< from the dead letters, so behind what was sent meanwhile
  bool is_confirmed = false;  ///< the frame it is in was answered with 0
  std::uint64_t order = 0;    ///< as they came to the sidecar, emitted or not; 0: nobody knows
  sidecar::Now sent_at{};
  std::size_t sent_at_peak = 0;  ///< in History::peaks, when it was sent
  std::size_t first_plan = 0;    ///< which configuration was in force when it was sent,
  std::size_t last_plan = 0;     ///< and when it was known to be taken
};

/// Every event, and the highest wall time between any two moments.
class History {
 public:
  SentEvent& add(std::string topic, const sidecar::Now& now) {
    SentEvent event;
    event.number = events_.size() + 1;
    event.topic = std::move(topic);
    event.sent_at = now;
    event.sent_at_peak = peaks_.size() - 1;
    event.first_plan = event.last_plan = plan;
    events_.push_back(std::move(event));
    return events_.back();
  }
  SentEvent& event(std::uint64_t number) { return events_.at(number - 1); }
  const std::vector<SentEvent>& events() const { return events_; }

  void note_time(const sidecar::Now& now) {
    if (peaks_.empty() || peaks_.back() != now.wall_ns()) peaks_.push_back(now.wall_ns());
  }
  std::uint64_t highest_time(std::size_t since_peak = 0) const {
    const auto since = peaks_.begin() + static_cast<std::ptrdiff_t>(since_peak);
    return *std::max_element(since, peaks_.end());
  }
  /// It is not sent before the wall clock has shown its date.
  void check_not_early(std::uint64_t number) const {
    const SentEvent& event = events_.at(number - 1);
    if (event.due_ns == 0) return;
    EXPECT_GE(highest_time(event.sent_at_peak), event.due_ns)
        << "event " << number << " was sent before its time";
  }
  /// Its ttl may be over, by the one clock or the other.
  bool may_have_expired(const SentEvent& event, const sidecar::Now& now) const {
    if (event.ttl_ns == 0) return false;
    const auto lived_ns = static_cast<std::uint64_t>((now.mono - event.sent_at.mono).count());
    const std::uint64_t since_ns = event.sent_at.wall_ns();
    return lived_ns >= event.ttl_ns || highest_time(event.sent_at_peak) - since_ns >= event.ttl_ns;
  }

  /// Events of one frame, which come to the sidecar in this order, and now.
  std::uint64_t next_order() { return orders_ += orders_of_frame; }
  std::uint64_t last_order() const { return orders_ + orders_of_frame; }

  std::size_t plan = 0;  ///< the configuration that is in force

 private:
  static constexpr std::uint64_t orders_of_frame = 64;

  std::vector<SentEvent> events_;
  std::vector<std::uint64_t> peaks_;
  std::uint64_t orders_ = 0;
};

/// What the events of a history have in common.
struct EventStyle {
  bool have_ids = false;  ///< of their clients
  bool emitted_may_expire = true;
};

/// Events as they are on the wire, with all that the spool makes a difference for.
inline std::string random_event(History& history, sidecar::Random& random, const sidecar::Now& now,
                                const EventStyle& style, bool may_expire) {
  static constexpr std::array topics = {"orders.paid", "orders.open", "users.new", "a.b.c"};
  SentEvent& event = history.add(topics[random.below(topics.size())], now);
  std::string fields;
  char count = 0;
  const auto add_name = [&](std::string_view name) {
    fields += static_cast<char>(0xa0 + name.size());
    fields += name;
    ++count;
  };
  const auto add_number = [&](const char* name, std::uint64_t value) {
    add_name(name);
    fields += '\xcf';
    for (int shift = 56; shift >= 0; shift -= 8) {
      fields += static_cast<char>(value >> static_cast<unsigned>(shift) & 0xffU);
    }
  };
  const auto add_text = [&](const char* name, const std::string& text) {
    add_name(name);
    fields += static_cast<char>(0xa0 + text.size());
    fields += text;
  };
  if (style.have_ids) {
    event.id = "e" + std::to_string(event.number);
    add_text("id", event.id);
  }
  if (random.chance(0.1)) {
    const std::uint64_t ttl_ms =
        may_expire && random.chance(0.5) ? random.below(5000) : 1'000'000'000'000U;
    if (ttl_ms < 5000) event.ttl_ns = std::max<std::uint64_t>(ttl_ms, 1) * 1'000'000;
    add_number("ttl", std::max<std::uint64_t>(ttl_ms, 1));
  }
  if (random.chance(0.5)) {
    event.key = std::string(1, static_cast<char>('a' + random.below(5)));
    add_text("key", event.key);
  }
  if (random.chance(0.3)) {
    add_name("pri");
    fields += static_cast<char>(random.below(3));
  }
  if (random.chance(0.15)) {
    event.due_ns =
        now.wall_ns() + random.below(random.chance(0.1) ? 4'000'000'000'000U : 20'000'000'000U);
    add_number("at", event.due_ns);
  }
  return event_bytes(event.topic, 0, numbered_data(event.number),
                     static_cast<char>(0x80 + count) + fields);
}

class ModelClient {
 public:
  ModelClient(History& history, std::uint64_t seed) : history_(history), random_(seed) {
    for (std::uint8_t& byte : id_) byte = static_cast<std::uint8_t>(random_.next());
  }

  /// A new frame, to be kept until it is answered.
  const std::string& make_frame(const sidecar::Now& now, const EventStyle& style) {
    Frame frame;
    for (std::uint64_t left = 1 + random_.below(20); left > 0; --left) {
      if (random_.chance(0.02)) {
        frame.events.push_back(event_bytes("not a topic", 0, numbered_data(0)));
        frame.numbers.push_back(refused);
        continue;
      }
      frame.events.push_back(random_event(history_, random_, now, style, true));
      frame.numbers.push_back(history_.events().size());
    }
    return keep(std::move(frame)).bytes;
  }

  /// All that is not answered, in the order in which it is to be sent again.
  std::vector<std::string> frames_again(bool in_order) {
    std::vector<std::string> frames;
    for (const auto& [sequence, frame] : kept_) {
      const auto at = in_order ? frames.size() : random_.below(frames.size() + 1);
      frames.insert(frames.begin() + static_cast<std::ptrdiff_t>(at), frame.bytes);
      if (random_.chance(0.1)) frames.push_back(frame.bytes);
    }
    // One that was answered long ago, by mistake.
    if (!last_answered_.empty() && random_.chance(0.2)) frames.push_back(last_answered_);
    return frames;
  }

  void take(const proto::ConfirmAnswer& answer) {
    const auto found = kept_.find(answer.sequence);
    if (found == kept_.end()) return;
    if (answer.status != 0) {
      EXPECT_TRUE(proto::is_for_later(answer.status)) << "status " << answer.status;
      return;
    }
    Frame frame = std::move(found->second);
    kept_.erase(found);
    last_answered_ = std::move(frame.bytes);
    Frame left_out;
    for (std::uint32_t index = 0; index < frame.events.size(); ++index) {
      const std::uint64_t number = frame.numbers[index];
      const std::uint32_t refusal = refusal_of(answer, index);
      EXPECT_EQ(number == refused, refusal != 0 && !proto::is_for_later(refusal)) << refusal;
      if (refusal == 0) history_.event(number).is_confirmed = true;
      if (refusal == 0 || !proto::is_for_later(refusal)) continue;
      left_out.events.push_back(std::move(frame.events[index]));
      left_out.numbers.push_back(number);
    }
    if (!left_out.events.empty()) keep(std::move(left_out));
  }

  /// The sidecar has begun to read a frame.
  void note_read(std::string_view bytes) {
    for (auto& [sequence, frame] : kept_) {
      if (frame.bytes != bytes) continue;
      frame.order = history_.next_order();
      ++frame.reads;
    }
  }

  /// The sidecar says what has become of a frame, whether or not the client hears of it.
  void note_answer(const proto::ConfirmAnswer& answer) {
    const auto found = kept_.find(answer.sequence);
    if (found == kept_.end() || found->second.is_taken) return;
    Frame& frame = found->second;
    if (answer.status != 0) {
      // Of two that were read nobody knows which this is of.
      if (frame.reads == 1) frame.reads = 0;
      return;
    }
    frame.is_taken = true;
    for (std::uint32_t index = 0; index < frame.numbers.size(); ++index) {
      if (frame.numbers[index] == refused || refusal_of(answer, index) != 0) continue;
      SentEvent& event = history_.event(frame.numbers[index]);
      event.last_plan = history_.plan;
      if (frame.reads == 1) event.order = frame.order + index;
    }
  }

  /// The sidecar has died: what it may have taken without saying so has no place in the order.
  void note_crash() {
    for (auto& [sequence, frame] : kept_) frame.reads = 2;
  }

  /// The spool is lost, and with it what was taken of this client: nothing is sent again.
  void give_up() {
    kept_.clear();
    last_answered_.clear();
  }

  std::size_t unanswered() const { return kept_.size(); }

 private:
  struct Frame {
    std::string bytes;
    std::vector<std::string> events;
    std::vector<std::uint64_t> numbers;
    std::uint64_t order = 0;  ///< of its first event, when it was read last
    int reads = 0;  ///< that may have been taken; with more than one nobody knows the order
    bool is_taken = false;
  };
  /// The number of an event that breaks a rule.
  static constexpr std::uint64_t refused = 0;

  Frame& keep(Frame frame) {
    frame.bytes = frame_bytes(frame.events, {.client_id = id_, .sequence = ++sequence_});
    return kept_[sequence_] = std::move(frame);
  }

  static std::uint32_t refusal_of(const proto::ConfirmAnswer& answer, std::uint32_t index) {
    for (const proto::RefusedEvent& event : answer.refused) {
      if (event.index == index) return event.refusal;
    }
    return 0;
  }

  History& history_;
  sidecar::Random random_;
  std::array<std::uint8_t, proto::client_id_bytes> id_{};
  std::uint64_t sequence_ = 0;
  std::map<std::uint64_t, Frame> kept_;
  std::string last_answered_;
};

}  // namespace outrider::test
