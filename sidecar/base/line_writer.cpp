#include "sidecar/base/line_writer.hpp"

#include <algorithm>
#include <cerrno>
#include <climits>
#include <condition_variable>
#include <csignal>
#include <mutex>
#include <system_error>
#include <utility>

#include <poll.h>
#include <pthread.h>
#include <unistd.h>

namespace outrider::sidecar {
namespace {

std::uint64_t lines_in(std::string_view text) {
  return static_cast<std::uint64_t>(std::count(text.begin(), text.end(), '\n'));
}

bool has_room(int fd, int timeout_ms) {
  pollfd room = {fd, POLLOUT, 0};
  return poll(&room, 1, timeout_ms) == 1;
}

/// Writes as much as possible; returns the number of bytes of `text`. `error`: the reason for
/// writing no more.
std::size_t write_all(int fd, std::string_view text, int& error) {
  std::size_t written = 0;
  while (written < text.size()) {
    const ssize_t count = ::write(fd, text.data() + written, text.size() - written);
    if (count > 0) {
      written += static_cast<std::size_t>(count);
    } else if (count < 0 && errno == EAGAIN) {
      has_room(fd, -1);  // somebody has made it non-blocking
    } else if (count == 0 || errno != EINTR) {
      error = count == 0 ? ENOSPC : errno;
      break;
    }
  }
  return written;
}

/// A thread that takes no signals; none if the system has none to give.
template <typename Body>
std::thread start_thread(Body body) {
  sigset_t all;
  sigset_t before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  std::thread thread;
  try {
    thread = std::thread(std::move(body));
  } catch (const std::system_error&) {
    // The caller sees that it is not joinable.
  }
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  return thread;
}

}  // namespace

/// The state that the writer and its thread share; lives as long as either of them.
struct LineWriter::State {
  State(int descriptor, SayDropped say) : fd(descriptor), say_dropped(std::move(say)) {}

  const int fd;
  const SayDropped say_dropped;
  std::mutex mutex;  ///< guards all below
  std::condition_variable has_work;
  std::condition_variable is_done;
  std::string waiting;
  std::size_t writing_bytes = 0;
  std::uint64_t dropped = 0;      ///< and not reported yet
  std::uint64_t dropped_all = 0;  ///< since the start
  int error = 0;            ///< of the last failed write since the dropped lines were reported
  bool is_cut = false;      ///< the last line went out in part
  bool has_failed = false;  ///< the last write; with the next line it is tried again
  bool is_ending = false;
  bool has_thread = false;

  /// Lines, or how many were dropped, also when none follows.
  bool has_to_say() const { return !waiting.empty() || (dropped > 0 && !has_failed); }
  bool is_all_written() const { return !has_to_say() && writing_bytes == 0; }
  void run();
  void write_now(std::string_view text);
  void account(std::string_view batch, std::uint64_t said, std::size_t written);
  std::string next_batch(std::uint64_t& said);
};

/// The waiting lines, followed by those that were dropped after them.
std::string LineWriter::State::next_batch(std::uint64_t& said) {
  std::string batch;
  if (is_cut) batch = "\n";
  batch += waiting;
  waiting.clear();
  said = std::exchange(dropped, 0);
  if (said > 0) batch += say_dropped(said, error);
  return batch;
}

void LineWriter::State::account(std::string_view batch, std::uint64_t said, std::size_t written) {
  const std::uint64_t ends = written == 0 && is_cut ? 1 : 0;  // of the text that was cut before
  if (written > 0) is_cut = batch[written - 1] != '\n';
  has_failed = written < batch.size();
  if (!has_failed) {
    if (said > 0) error = 0;
    return;
  }
  std::uint64_t lost = lines_in(batch.substr(written)) - ends;
  // The line about dropped lines was itself dropped: they are still to be reported, and it is not
  // one of them.
  if (said > 0) --lost;
  dropped += lost + said;
  dropped_all += lost;
}

void LineWriter::State::run() {
  pthread_setname_np(pthread_self(), "log");
  std::unique_lock lock(mutex);
  for (;;) {
    has_work.wait(lock, [this] { return has_to_say() || is_ending; });
    if (!has_to_say()) return;
    std::uint64_t said = 0;
    const std::string batch = next_batch(said);
    writing_bytes = batch.size();
    lock.unlock();
    int failure = 0;
    const std::size_t written = write_all(fd, batch, failure);
    lock.lock();
    if (failure != 0) error = failure;
    writing_bytes = 0;
    account(batch, said, written);
    if (is_all_written()) is_done.notify_all();
  }
}

/// Without a thread. A pipe that has room takes PIPE_BUF bytes without waiting.
void LineWriter::State::write_now(std::string_view text) {
  waiting = text;
  std::uint64_t said = 0;
  const std::string batch = next_batch(said);
  std::size_t written = 0;
  while (written < batch.size() && has_room(fd, 0)) {
    const auto part = std::string_view(batch).substr(written, PIPE_BUF);
    const std::size_t count = write_all(fd, part, error);
    written += count;
    if (count < part.size()) break;
  }
  account(batch, said, written);
}

LineWriter::LineWriter(int fd, SayDropped say_dropped)
    : state_(std::make_shared<State>(fd, std::move(say_dropped))),
      thread_(start_thread([state = state_] { state->run(); })) {
  const std::lock_guard lock(state_->mutex);
  state_->has_thread = thread_.joinable();
}

LineWriter::~LineWriter() {
  if (!thread_.joinable()) return;
  bool is_written = false;
  {
    std::unique_lock lock(state_->mutex);
    state_->is_ending = true;
    state_->has_work.notify_one();
    is_written =
        state_->is_done.wait_for(lock, end_wait_max, [this] { return state_->is_all_written(); });
  }
  if (is_written) {
    thread_.join();
  } else {
    thread_.detach();
  }
}

void LineWriter::add(std::string_view line) {
  State& state = *state_;
  const std::lock_guard lock(state.mutex);
  if (!state.has_thread) {
    state.write_now(line);
  } else if (state.waiting.size() + state.writing_bytes + line.size() > waiting_bytes_max) {
    ++state.dropped;
    ++state.dropped_all;
    state.has_work.notify_one();
  } else {
    state.waiting += line;
    state.has_work.notify_one();
  }
}

void LineWriter::add_last(std::string_view text) {
  const std::lock_guard lock(state_->mutex);
  if (!state_->has_thread) return state_->write_now(text);
  state_->waiting += text;
  state_->has_work.notify_one();
}

std::uint64_t LineWriter::lines_dropped() const {
  const std::lock_guard lock(state_->mutex);
  return state_->dropped_all;
}

bool LineWriter::wait_until_written(std::chrono::steady_clock::time_point deadline) {
  std::unique_lock lock(state_->mutex);
  return state_->is_done.wait_until(lock, deadline, [this] { return state_->is_all_written(); });
}

}  // namespace outrider::sidecar
