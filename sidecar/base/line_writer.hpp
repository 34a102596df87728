// LineWriter: writes lines to a descriptor that may have no reader, on its own thread.
//
// Used by the log on stderr. add() takes a whole line or counts it as dropped; it never waits for a
// full pipe, a stopped terminal or a disk. A line in place of the dropped ones gives their number
// as soon as there is room. If the reader is gone or the disk is full, the lines at that time are
// dropped; nothing else stops. The descriptor's flags stay unchanged, because other processes share
// them. Thread: safe from any thread. Owns: its thread and the lines; not the descriptor, which
// stays open. A thread that is stuck in a write is abandoned. If no thread can be made, a line is
// written at once if there is room for it, and dropped otherwise. Limits: waiting_bytes_max, and
// the text given to add_last().
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
  /// The destructor waits this long for the unwritten lines.
  static constexpr std::chrono::milliseconds end_wait_max{250};

  /// A line, with its end, that gives the number of dropped lines. `error`: the errno of the last
  /// write that failed meanwhile; 0: they were not read in time. Called from any thread.
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
