// CredentialLog: what the log is told of the credentials of one destination: that changed files are
// in use, that they cannot be used, and that they cannot be looked at.
//
// Used by CredentialStore. Thread: the sidecar's one thread. Borrows: the log.
// Limits: a line of a kind in 10 s. What changes faster is told when it may be, by its newest
// state, with the number of changes that had no line as `left_out`.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <utility>

#include "sidecar/base/clock.hpp"
#include "sidecar/base/line_limit.hpp"
#include "sidecar/base/log.hpp"

namespace outrider::sidecar {

class CredentialLog {
 public:
  CredentialLog(std::string destination, Log& log)
      : destination_(std::move(destination)), log_(log) {}

  void read(const Now& now) { change(State::used, {}, now); }
  void refused(std::string because, const Now& now) {
    change(State::refused, std::move(because), now);
  }
  void unanswered(const Now& now) {
    change(State::unanswered,
           "a file system does not answer, or no thread is left to check the files", now);
  }

  /// Tells what could not be told earlier.
  void tell(const Now& now);

 private:
  enum class State : std::uint8_t { used, refused, unanswered };
  static constexpr std::size_t states = 3;

  void change(State state, std::string because, const Now& now);
  void write(const std::string& left_out);

  std::string destination_;
  Log& log_;
  State state_ = State::used;
  std::string because_;
  std::uint64_t changes_ = 0;             ///< since the last line
  std::array<LineLimit, states> limits_;  ///< by state
};

}  // namespace outrider::sidecar
