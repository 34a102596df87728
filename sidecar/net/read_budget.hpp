// ReadBudget: how much the libraries that a thread calls may read before they return.
//
// libcurl and OpenSSL read a socket until nothing is left. A peer that never stops sending - empty
// records, meaningless frames, an endless answer of a proxy - would keep them from returning, and
// so block all other deliveries, every timeout and the stop. So recv(), which socket_gate.cpp
// defines for the whole program, reads no more than the budget of its thread; after that it reports
// that nothing is there. A level-triggered reactor, such as ours, calls again.
//
// Used by CurlMulti, one budget for each call; inside another budget, only the inner one counts.
// Thread: it applies to the thread that made it.
#pragma once

#include <cstddef>
#include <cstdint>

#include <sys/types.h>

namespace outrider::sidecar {

class ReadBudget {
 public:
  /// A read costs as much as this many additional bytes.
  static constexpr std::int64_t read_cost_bytes = 64;

  explicit ReadBudget(std::int64_t bytes);
  ~ReadBudget();
  ReadBudget(const ReadBudget&) = delete;
  ReadBudget& operator=(const ReadBudget&) = delete;

  bool is_spent() const;

  /// recv(), within the budget of this thread if it has one.
  static ssize_t recv(int fd, void* data, std::size_t bytes, int flags);

 private:
  const std::int64_t outer_;
};

}  // namespace outrider::sidecar
