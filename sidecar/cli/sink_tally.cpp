#include "sidecar/cli/sink_tally.hpp"

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <system_error>

#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include "sidecar/base/text.hpp"

namespace outrider::sidecar {

/// How often a write that waits for its reader looks whether it has to end.
constexpr int room_look_ms = 100;

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
  return Nothing{};
}

Result<int> SinkTally::take(const ReceivedRequest& request) {
  const std::lock_guard lock(mutex_);
  if (closed_) return 503;
  const int status = faults_.next_status();
  if (status < 200 || status > 299) {
    const std::lock_guard counts_lock(counts_mutex_);
    ++counts_.requests;
    ++counts_.failed;
    return status;
  }
  if (Status written = write_output(request.output_lines); !written.ok()) return written.error();
  if (Status shown = show(request.shown_lines); !shown.ok()) return shown.error();
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
  if (closed_) return;
  const std::lock_guard counts_lock(counts_mutex_);
  ++counts_.requests;
  ++counts_.refused;
}

void SinkTally::close() {
  is_ending_ = true;
  const std::lock_guard lock(mutex_);
  closed_ = true;
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
    lines.remove_prefix(static_cast<std::size_t>(written));
  }
  return Nothing{};
}

Status SinkTally::show(std::string_view lines) {
  std::fwrite(lines.data(), 1, lines.size(), stdout);
  if (std::fflush(stdout) == 0 && std::ferror(stdout) == 0) return Nothing{};
  return Error{std::string("cannot write to standard output: ") +
               std::generic_category().message(errno)};
}

std::string summary_line(const SinkCounts& counts) {
  return "requests=" + std::to_string(counts.requests) +
         " events=" + std::to_string(counts.events) + " ids=" + std::to_string(counts.ids) +
         " duplicates=" + std::to_string(counts.duplicates) +
         " bytes=" + std::to_string(counts.bytes) + " failed=" + std::to_string(counts.failed) +
         " refused=" + std::to_string(counts.refused);
}

}  // namespace outrider::sidecar
