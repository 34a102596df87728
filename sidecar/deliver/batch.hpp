// Batch: the events of one request, from the moment they leave the queue until they are settled.
//
// Used by Backlog and Destination. The records are kept over all attempts; the body is encoded when
// the batch is sent, and freed while it waits for the next attempt. Owns all its bytes.
#pragma once

#include <array>
#include <cstdint>
#include <cstring>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "sidecar/base/amount.hpp"
#include "sidecar/base/clock.hpp"
#include "sidecar/base/record.hpp"
#include "sidecar/deliver/transport.hpp"
#include "sidecar/encode/encoder.hpp"

namespace outrider::sidecar {

struct Batch;
using BatchPtr = std::unique_ptr<Batch>;

/// Empties it and gives its memory back, which assigning an empty string or vector need not do.
template <typename Container>
void give_back(Container& container) {
  Container empty;
  std::swap(container, empty);
}

/// The notes of WaitingBatches about a batch.
struct WaitingBatch {
  std::uint64_t number = 0;  ///< by when it came first; 0: it never did
  MonoTime due{};
  bool is_follower = false;
  std::array<Amount, 3> evictable{};       ///< by priority
  std::array<std::size_t, 3> look_from{};  ///< before it in the records there is none
  std::size_t evicted_bytes = 0;           ///< that are among the records still
  bool has_changed = false;                ///< events were evicted
};

struct Batch {
  std::string id;  ///< the same over all attempts; a single event's batch has the event's id
  std::vector<std::uint8_t> records;
  std::uint32_t events = 0;
  std::uint32_t attempts = 0;
  MonoTime first_attempt_at{};
  MonoTime arrived = never;  ///< the oldest of its events, also if that one has left
  /// The newest attempt of the destination when this batch failed; 0: it has not.
  AttemptId failed_after = 0;
  /// Leaves when this one is settled: the second half of a split batch, if order matters.
  BatchPtr follower;
  WaitingBatch waiting;
  /// The one that it was made with, which writes the same body for every attempt.
  std::shared_ptr<Encoder> encoder;

  // Only while an attempt is under way.
  AttemptId attempt_id = 0;
  Transport* transport = nullptr;  ///< that it was given to
  MonoTime started_at{};
  std::uint32_t way = 0;  ///< Completion::way
  Body body;
  bool is_too_large = false;  ///< one event whose body is over the limit
  std::vector<std::string_view> topics;

  /// The attempts so far count towards no limit: held time, which only a person can end.
  void forget_attempts() {
    attempts = 0;
    first_attempt_at = {};
  }

  /// Since its first attempt; zero if there was none.
  Duration tried_for(const Now& now) const {
    return first_attempt_at == MonoTime{} ? Duration::zero() : now.mono - first_attempt_at;
  }

  /// It waits: gives back all memory but its records'.
  void rest() {
    give_back(body);
    give_back(topics);
    records.shrink_to_fit();
  }

  /// Calls `visit(RecordView)` for every event, oldest first.
  template <typename Visit>
  void for_each(const Visit& visit) const {
    for (std::size_t at = 0; at < records.size();) {
      const RecordView record = read_record(records.data() + at);
      visit(record);
      at += record.bytes.size();
    }
  }

  /// Removes the events for which `is_done(index, RecordView)`; returns how many.
  template <typename IsDone>
  std::uint32_t remove_if(const IsDone& is_done) {
    std::size_t kept_bytes = 0;
    std::uint32_t index = 0;
    std::uint32_t removed = 0;
    for (std::size_t at = 0; at < records.size(); ++index) {
      const RecordView record = read_record(records.data() + at);
      const std::size_t record_bytes = record.bytes.size();
      if (is_done(index, record)) {
        ++removed;
      } else {
        std::memmove(records.data() + kept_bytes, records.data() + at, record_bytes);
        kept_bytes += record_bytes;
      }
      at += record_bytes;
    }
    records.resize(kept_bytes);
    events -= removed;
    return removed;
  }
};

}  // namespace outrider::sidecar
