#include "sidecar/sink/sink_tally.hpp"

#include <algorithm>
#include <cerrno>
#include <climits>
#include <csignal>
#include <cstring>
#include <system_error>

#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include "sidecar/base/last_line.hpp"
#include "sidecar/base/text.hpp"

namespace outrider::sidecar {

/// How often a write that waits for its reader looks whether it has to end.
constexpr int room_look_ms = 100;
/// How long a blocked standard output may take to continue, once the sink has to end.
constexpr int last_look_ms = 300;

void ReceivedRequest::add(const ReceivedEvent& event, bool shows, bool writes) {
  ++event_count;
  if (!event.id.empty()) ids.emplace_back(event.id);
  if (writes) output_lines.append(event.json).append("\n");
  if (!shows) return;
  for (const std::string_view part : {event.topic, event.time, event.id}) {
    shown_lines.append(part.empty() ? "-" : printable(part, 255)).append(" ");
  }
  shown_lines.append(printable_json(event.data)).append("\n");
}

SinkTally::~SinkTally() {
  if (output_fd_ >= 0) ::close(output_fd_);
}

Status SinkTally::open_output(const std::string& file) {
  // A FIFO would make it wait for a reader here, and in write() for one that reads nothing.
  output_fd_ =
      ::open(file.c_str(), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NONBLOCK | O_NOCTTY, 0644);
  if (output_fd_ < 0 && errno == ENXIO) {
    return Error{"cannot open " + file +
                 ": nobody reads it; start its reader first, or give a file"};
  }
  if (output_fd_ < 0)
    return Error{"cannot open " + file + ": " + std::generic_category().message(errno)};
  end_last_line(output_fd_);
  return Nothing{};
}

Result<int> SinkTally::take(const ReceivedRequest& request) {
  const std::lock_guard lock(mutex_);
  if (is_ending_) return 503;
  const int status = faults_.next_status();
  if (status < 200 || status > 299) {
    const std::lock_guard counts_lock(counts_mutex_);
    ++counts_.requests;
    ++counts_.failed;
    return status;
  }
  if (is_cut_) {
    if (Status ended = write_output("\n"); !ended.ok()) return ended.error();
  }
  if (Status written = write_output(request.output_lines); !written.ok()) return written.error();
  if (Status shown = print(request.shown_lines); !shown.ok()) return shown.error();
  const std::lock_guard counts_lock(counts_mutex_);
  ++counts_.requests;
  counts_.events += request.event_count;
  counts_.bytes += request.body_bytes;
  for (const std::string& id : request.ids) {
    if (!ids_.insert(id) && !ids_.is_full()) ++counts_.duplicates;
  }
  counts_.ids = ids_.size();
  return status;
}

void SinkTally::count_refused() {
  const std::lock_guard lock(mutex_);
  if (is_ending_) return;
  const std::lock_guard counts_lock(counts_mutex_);
  ++counts_.requests;
  ++counts_.refused;
}

void SinkTally::close() {
  is_ending_ = true;
  const std::lock_guard lock(mutex_);
}

SinkCounts SinkTally::counts() const {
  const std::lock_guard lock(counts_mutex_);
  return counts_;
}

Status SinkTally::write_output(std::string_view lines) {
  while (!lines.empty()) {
    const ssize_t written = ::write(output_fd_, lines.data(), lines.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0 && errno == EAGAIN && !is_ending_) {
      pollfd room{.fd = output_fd_, .events = POLLOUT, .revents = 0};
      ::poll(&room, 1, room_look_ms);
      continue;
    }
    if (written < 0)
      return Error{std::string("cannot write the output: ") +
                   std::generic_category().message(errno)};
    const auto bytes = static_cast<std::size_t>(written);
    if (bytes > 0) is_cut_ = lines[bytes - 1] != '\n';
    lines.remove_prefix(bytes);
  }
  return Nothing{};
}

/// Also if a signal is pending that was not handled yet, as before the first request.
bool SinkTally::has_to_end() const {
  sigset_t pending;
  sigemptyset(&pending);
  sigpending(&pending);
  return is_ending_ || sigismember(&pending, SIGINT) == 1 || sigismember(&pending, SIGTERM) == 1;
}

Status SinkTally::print(std::string_view text) {
  while (!text.empty()) {
    // Its flags may be another process's too, so that it stays as it is: where there is room for
    // anything, there is for a piece of this size.
    pollfd room{.fd = STDOUT_FILENO, .events = POLLOUT, .revents = 0};
    const bool is_last_look = has_to_end();
    const bool has_room = ::poll(&room, 1, is_last_look ? last_look_ms : room_look_ms) > 0;
    if (!has_room && is_last_look) {
      return Error{"cannot write to standard output: its reader does not read"};
    }
    if (!has_room) continue;
    const ssize_t written =
        ::write(STDOUT_FILENO, text.data(), std::min<std::size_t>(text.size(), PIPE_BUF));
    if (written < 0 && (errno == EINTR || errno == EAGAIN)) continue;
    if (written < 0) {
      return Error{"cannot write to standard output: " + std::generic_category().message(errno)};
    }
    text.remove_prefix(static_cast<std::size_t>(written));
  }
  return Nothing{};
}

std::string summary_line(const SinkCounts& counts) {
  return "requests=" + std::to_string(counts.requests) +
         " events=" + std::to_string(counts.events) + " ids=" + std::to_string(counts.ids) +
         " duplicates=" + std::to_string(counts.duplicates) +
         " bytes=" + std::to_string(counts.bytes) + " failed=" + std::to_string(counts.failed) +
         " refused=" + std::to_string(counts.refused);
}

}  // namespace outrider::sidecar
