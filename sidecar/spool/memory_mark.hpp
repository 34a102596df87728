// MemoryMark: how many events the sidecar has in memory only, kept where a crash leaves it, so that
// the next run can say how many the crash has cost.
//
// Used by Host, which opens it beside the spool, and App, which writes it each turn: eight bytes of
// a mapped file, without a system call. After SIGKILL it is as of the last turn; after a loss of
// power it may be older.
//
// Thread: the sidecar's one. Owns: the mapping. Fails with: nothing; without it nothing is counted.
#pragma once

#include <cstdint>
#include <string>

namespace outrider::sidecar {

class MemoryMark {
 public:
  /// Beside the spool at `path`.
  explicit MemoryMark(const std::string& path);
  ~MemoryMark();
  MemoryMark(const MemoryMark&) = delete;
  MemoryMark& operator=(const MemoryMark&) = delete;

  /// What the last run had in memory when it ended; 0 if it has ended in good order.
  std::uint64_t left_by_last_run() const { return left_by_last_run_; }

  void set(std::uint64_t events);

 private:
  volatile std::uint64_t* events_ = nullptr;
  std::uint64_t left_by_last_run_ = 0;
};

}  // namespace outrider::sidecar
