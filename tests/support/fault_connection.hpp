// One connection of a FaultReceiver: its stream, what came, and how far its script is.
// Used by fault_receiver.cpp, which runs the loop, and fault_steps.cpp, which runs the scripts.
#pragma once

#include "support/fault_receiver.hpp"

namespace outrider::test {

struct FaultReceiver::Connection {
  Connection(std::uint64_t its_number, int fd) : number(its_number), stream(fd) {}

  const std::uint64_t number;
  SocketStream stream;
  int peer_port = 0;
  bool is_served = false;  ///< the connection's own script is over
  bool is_over = false;
  std::uint32_t watched = 0;  ///< by epoll

  std::string in;
  std::size_t head_bytes = 0;  ///< 0: not known yet
  std::size_t body_bytes = 0;
  std::shared_ptr<Arrival> arrival;

  // The script, and how far its current step is.
  Script script;
  std::size_t at = 0;
  enum class Pause { none, under_way, over } pause = Pause::none;
  bool is_sending = false;
  bool is_blocked = false;  ///< the other side does not read
  std::string out;
  std::string_view unsent;
  std::size_t filler_left = 0;
  std::size_t sent_slowly = 0;
};

}  // namespace outrider::test
