// SinkTally: counts and prints the requests that `outrider sink` receives.
//
// Used by the sink's connection threads, which hand over whole requests, and by its main thread,
// which reports. If the reader of the output file or of standard output stops, requests wait, but
// the shutdown of the sink does not. Thread: safe from any thread. Owns: the ids seen so far and
// the output file.
#pragma once

#include <atomic>
#include <cstdint>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "sidecar/base/clock.hpp"
#include "sidecar/base/result.hpp"
#include "sidecar/sink/id_set.hpp"
#include "sidecar/sink/received_body.hpp"
#include "sidecar/sink/sink_faults.hpp"

namespace outrider::sidecar {

/// The events of one request, gathered before any of them counts.
struct ReceivedRequest {
  std::vector<std::string> ids;
  std::uint64_t event_count = 0;
  std::string shown_lines;   ///< for people: topic, time, id and data of each event
  std::string output_lines;  ///< for the output file: each event as one line of JSON
  std::size_t body_bytes = 0;

  void add(const ReceivedEvent& event, bool shows, bool writes);
};

struct SinkCounts {
  std::uint64_t requests = 0;
  std::uint64_t events = 0;
  std::uint64_t ids = 0;         ///< different ids
  std::uint64_t duplicates = 0;  ///< events whose id had come before
  std::uint64_t bytes = 0;       ///< of the bodies whose events count, decompressed
  std::uint64_t failed = 0;      ///< requests answered with a fault; their events do not count
  std::uint64_t refused = 0;     ///< requests whose body could not be read or written to the file
};

class SinkTally {
 public:
  SinkTally(const FaultPlan& plan, std::uint64_t seed) : faults_(plan, seed) {}
  ~SinkTally();
  SinkTally(const SinkTally&) = delete;
  SinkTally& operator=(const SinkTally&) = delete;

  /// Appends to this file from now on.
  Status open_output(const std::string& file);

  /// Decides how a request is answered; if with 2xx, its events count and are shown. Fails if they
  /// cannot be written, to the output file or to standard output, and then they do not count.
  Result<int> take(const ReceivedRequest& request);

  void count_refused();

  /// From now on nothing counts any more; requests are answered with 503. Waits for a request that
  /// is being written, as long as its output is read.
  void close();

  /// Writes to standard output, and waits for its reader unless the sink has to end.
  Status print(std::string_view text);

  SinkCounts counts() const;

 private:
  Status write_output(std::string_view lines);
  bool has_to_end() const;

  std::mutex mutex_;  ///< held while the output is written, which may have to wait
  mutable std::mutex counts_mutex_;
  SinkFaults faults_;
  SinkCounts counts_;  ///< guarded by counts_mutex_
  IdSet ids_;
  int output_fd_ = -1;
  bool is_cut_ = false;                  ///< its last line went out in part
  std::atomic<bool> is_ending_ = false;  ///< also for a write that waits, which holds mutex_
};

/// "requests=7 events=3500 ids=3500 duplicates=0 bytes=1048576 failed=2 refused=0".
std::string summary_line(const SinkCounts& counts);

}  // namespace outrider::sidecar
