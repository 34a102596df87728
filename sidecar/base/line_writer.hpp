// LineWriter: lines for a descriptor that perhaps nobody reads, written by a thread of its own.
//
// Used by the log on stderr. add() takes a whole line or counts it as dropped; it never waits: not
// for a pipe that is full, a terminal that is stopped, or a disk. What was dropped is said by a
// line in its place, as soon as there is room. A reader that has gone away or a full disk drops
// what was to be written then, and ends nothing. The descriptor's flags are left alone: others
// share them. Thread: safe from any thread. Owns: its thread and the lines; not the descriptor,
// which stays open. A thread that is stuck in a write is left behind. Without a thread (none can be
// made) a line is written at once if there is room for it, else it is dropped. Limits:
// waiting_bytes_max, and whatever add_last() is given.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <thread>

namespace outrider::sidecar {

class LineWriter {
 public:
  static constexpr std::size_t waiting_bytes_max = 256 * 1024;
  /// The destructor waits so long for what is still to be written.
  static constexpr std::chrono::milliseconds end_wait_max{250};

  /// A line, with its end, that says how many were dropped. `error`: the errno of the last write
  /// that failed meanwhile; 0: nobody has read them in time. Called from any thread.
  using SayDropped = std::function<std::string(std::uint64_t lines, int error)>;

  LineWriter(int fd, SayDropped say_dropped);
  ~LineWriter();
  LineWriter(const LineWriter&) = delete;
  LineWriter& operator=(const LineWriter&) = delete;

  /// `line` ends with its newline.
  void add(std::string_view line);

  /// For last words: they are taken whatever waits already.
  void add_last(std::string_view text);

  /// Lines that were dropped since the start, told or not.
  std::uint64_t lines_dropped() const;

  /// True if all of it was written, or could not be, before this time.
  bool wait_until_written(std::chrono::steady_clock::time_point deadline);

 private:
  struct State;

  const std::shared_ptr<State> state_;
  std::thread thread_;
};

}  // namespace outrider::sidecar
