// How a FaultReceiver runs the script of a connection.

#include <algorithm>
#include <cctype>
#include <cstdlib>

#include "support/fault_connection.hpp"

namespace outrider::test {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::size_t filler_piece_bytes = 64UL << 10U;

bool has_letters(std::string_view text, std::string_view name) {
  return std::ranges::equal(text, name, [](unsigned char a, unsigned char b) {
    return std::tolower(a) == std::tolower(b);
  });
}

/// Of the last answer in `text`, 1xx aside; else `before`.
int status_in(std::string_view text, int before) {
  constexpr std::string_view version = "HTTP/1.1 ";
  const std::size_t at = text.rfind(version);
  if (at == std::string_view::npos || text.size() < at + version.size() + 3) return before;
  const int status = std::atoi(std::string(text.substr(at + version.size(), 3)).c_str());
  return status >= 200 ? status : before;
}

}  // namespace

std::string Arrival::header(std::string_view name) const {
  const std::string_view text = head;
  for (std::size_t at = text.find("\r\n"); at != std::string_view::npos;) {
    const std::size_t begin = at + 2;
    at = text.find("\r\n", begin);
    const std::string_view line = text.substr(begin, at - begin);
    const std::size_t colon = line.find(':');
    if (colon == std::string_view::npos || !has_letters(line.substr(0, colon), name)) continue;
    const std::size_t value = line.find_first_not_of(' ', colon + 1);
    return value == std::string_view::npos ? "" : std::string(line.substr(value));
  }
  return "";
}

/// Runs the connection's script as far as it goes now; the connection may be gone afterwards.
void FaultReceiver::advance(Connection& connection) {
  const std::uint64_t number = connection.number;
  for (bool goes_on = true; goes_on && !connection.is_over;) {
    if (connection.at < connection.script.size()) {
      goes_on = do_step(connection, connection.script[connection.at]);
    } else if (connection.is_served && !connection.arrival) {
      goes_on = begin_request(connection);
    } else {
      goes_on = finish_script(connection);
    }
  }
  if (connection.is_over) {
    connections_.erase(number);
  } else {
    watch(connection);
  }
}

/// False if there is none yet.
bool FaultReceiver::begin_request(Connection& connection) {
  if (connection.in.empty()) return false;
  connection.arrival = std::make_shared<Arrival>();
  connection.arrival->connection = connection.number;
  connection.arrival->peer_port = connection.peer_port;
  if (keeps_arrivals_) arrivals_.push_back(connection.arrival);
  connection.script = requests_.next();
  connection.at = 0;
  return true;
}

bool FaultReceiver::finish_script(Connection& connection) {
  if (!connection.is_served) {
    connection.is_served = true;
    if (tls_) connection.stream.begin_tls(tls_);
  } else {
    if (!read_request(connection)) return false;
    connection.arrival->fate = Fate::answered;
    ++counts_.answered;
    connection.arrival = nullptr;
    connection.in.erase(0, connection.head_bytes + connection.body_bytes);
    connection.head_bytes = 0;
    connection.body_bytes = 0;
  }
  connection.script.clear();
  connection.at = 0;
  return true;
}

/// The request has come whole; what came before of it is worked out on the way.
bool FaultReceiver::has_come(Connection& connection) {
  if (connection.head_bytes == 0) {
    const std::size_t end = connection.in.find("\r\n\r\n");
    if (end == std::string::npos) return false;
    connection.head_bytes = end + 4;
    connection.arrival->head = connection.in.substr(0, end);
    const std::string length = connection.arrival->header("Content-Length");
    connection.body_bytes = std::strtoull(length.c_str(), nullptr, 10);
  }
  return connection.in.size() >= connection.head_bytes + connection.body_bytes;
}

/// What a script has not read in full was not received, though all of it may have come.
bool FaultReceiver::read_request(Connection& connection) {
  if (!has_come(connection)) return false;
  if (connection.arrival->is_complete) return true;
  connection.arrival->is_complete = true;
  connection.arrival->body = connection.in.substr(connection.head_bytes, connection.body_bytes);
  ++counts_.requests;
  return true;
}

/// True: the step is done, go on. False: wait for input, output or a timer, or it is over.
bool FaultReceiver::do_step(Connection& connection, const Step& step) {
  bool is_done = true;
  switch (step.kind) {
    case Step::Kind::read_bytes:
      is_done = connection.in.size() >= step.bytes;
      break;
    case Step::Kind::read_body:
      has_come(connection);
      is_done =
          connection.head_bytes != 0 && connection.in.size() >= connection.head_bytes + step.bytes;
      break;
    case Step::Kind::read_all:
      is_done = read_request(connection);
      break;
    case Step::Kind::wait:
      is_done = pause(connection, step.time);
      break;
    case Step::Kind::work:
      if (connection.pause == Connection::Pause::none &&
          (capacity_ != 0 || latency_ != latency_.zero())) {
        connection.pause = Connection::Pause::under_way;
        waiting_.push_back(connection.number);
        give_places();
      }
      is_done = connection.pause != Connection::Pause::under_way;
      break;
    case Step::Kind::send:
      is_done =
          step.time.count() > 0 ? send_step_slowly(connection, step) : send_step(connection, step);
      break;
    case Step::Kind::speak:
      is_done = send_step(connection, step);
      if (is_done) ++counts_.spoken;
      break;
    case Step::Kind::choose:
      if (!read_request(connection)) return false;
      connection.script = step.choose(*connection.arrival);
      connection.at = 0;
      return true;
    case Step::Kind::close:
      end(connection, Fate::cut);
      return false;
    case Step::Kind::reset:
      connection.stream.reset_on_close();
      end(connection, Fate::cut);
      return false;
    case Step::Kind::hang:
      return false;
  }
  if (!is_done) return false;
  connection.pause = Connection::Pause::none;
  ++connection.at;
  return true;
}

/// True if the time is over.
bool FaultReceiver::pause(Connection& connection, std::chrono::milliseconds time) {
  if (connection.pause == Connection::Pause::none) {
    connection.pause = Connection::Pause::under_way;
    timers_.emplace(Clock::now() + time, Timer{connection.number, false});
  }
  return connection.pause == Connection::Pause::over;
}

bool FaultReceiver::send_step(Connection& connection, const Step& step) {
  if (!connection.is_sending) {
    connection.is_sending = true;
    connection.out = step.text;
    connection.unsent = connection.out;
    connection.filler_left = step.bytes;
    if (connection.arrival && step.kind != Step::Kind::speak) {
      connection.arrival->status = status_in(step.text, connection.arrival->status);
    }
  }
  for (;;) {
    const SocketStream::Result result = connection.stream.write(connection.unsent);
    if (result == SocketStream::Result::closed) end(connection, Fate::abandoned);
    connection.is_blocked = result == SocketStream::Result::again;
    if (result != SocketStream::Result::done) return false;
    if (step.is_endless) {
      connection.unsent = connection.out;
      continue;
    }
    if (connection.filler_left == 0) break;
    const std::size_t piece = std::min(connection.filler_left, filler_piece_bytes);
    connection.out.assign(piece, 'x');
    connection.unsent = connection.out;
    connection.filler_left -= piece;
  }
  connection.is_sending = false;
  return true;
}

bool FaultReceiver::send_step_slowly(Connection& connection, const Step& step) {
  while (connection.sent_slowly < step.text.size()) {
    if (!pause(connection, step.time)) return false;
    connection.pause = Connection::Pause::none;
    std::string_view byte = std::string_view(step.text).substr(connection.sent_slowly++, 1);
    if (connection.stream.write(byte) == SocketStream::Result::closed) {
      end(connection, Fate::abandoned);
      return false;
    }
  }
  connection.sent_slowly = 0;
  if (connection.arrival) {
    connection.arrival->status = status_in(step.text, connection.arrival->status);
  }
  return true;
}

void FaultReceiver::end(Connection& connection, Fate fate) {
  connection.is_over = true;
  if (!connection.arrival) return;
  connection.arrival->fate = fate;
  ++(fate == Fate::cut ? counts_.cut : counts_.abandoned);
  connection.arrival = nullptr;
}

void FaultReceiver::give_places() {
  while (!waiting_.empty() && (capacity_ == 0 || counts_.in_service < capacity_)) {
    const std::uint64_t number = waiting_.front();
    waiting_.pop_front();
    if (!connections_.contains(number)) continue;
    counts_.in_service_max = std::max(counts_.in_service_max, ++counts_.in_service);
    // The work goes on when the sender has given up: its place is free only when it is done.
    timers_.emplace(Clock::now() + latency_, Timer{number, true});
  }
}

}  // namespace outrider::test
