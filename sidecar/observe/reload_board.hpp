// ReloadBoard: where reloads are asked for, and where their outcomes are.
//
// Used by the admin server, the thread of the signals and embedded mode, which ask, and by the
// loop, which carries out. Who asks gets a ticket. All tickets that were given before a reload
// begins have the outcome of that reload; those given meanwhile have that of one more.
//
// Thread: safe from any thread. Owns: the newest outcome. The loop never waits here.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "sidecar/base/clock.hpp"

namespace outrider::sidecar {

enum class ReloadResult : std::uint8_t {
  applied,  ///< the new configuration is in use
  refused,  ///< it has errors, or needs a restart; nothing has changed
  failed,   ///< something could not be opened, or the sidecar stops; nothing has changed
};

struct ReloadOutcome {
  ReloadResult result = ReloadResult::failed;
  std::vector<std::string> lines;  ///< applied: what has changed; else why not
  std::uint64_t generation = 0;    ///< of the configuration that is in use
};

class ReloadBoard {
 public:
  explicit ReloadBoard(std::function<void()> wake_loop) : wake_loop_(std::move(wake_loop)) {}

  /// `who`: for the log. Returns the ticket.
  std::uint64_t ask(std::string who);
  /// Nothing: it is not known yet.
  std::optional<ReloadOutcome> outcome(std::uint64_t ticket) const;
  /// The same, after `patience` at most.
  std::optional<ReloadOutcome> wait_for(std::uint64_t ticket, Duration patience) const;

  // For the loop ----------------------------------------------------------------------------------

  /// Somebody has asked since the last reload began.
  bool is_asked() const { return asked_.load(std::memory_order_relaxed) > begun_; }
  /// One begins for all who have asked so far. Returns the last of them.
  std::string begin();
  /// It has ended.
  void finish(ReloadOutcome outcome);
  /// No more are carried out: all who have asked and will ask have this outcome.
  void close(ReloadOutcome outcome);

 private:
  std::optional<ReloadOutcome> known(std::uint64_t ticket) const;

  std::function<void()> wake_loop_;
  std::atomic<std::uint64_t> asked_ = 0;
  std::uint64_t begun_ = 0;  ///< the loop's

  mutable std::mutex mutex_;  ///< guards all below
  mutable std::condition_variable finished_;
  std::string who_;
  std::uint64_t answered_ = 0;
  ReloadOutcome outcome_;
};

/// "applied", "refused", "failed".
std::string_view name_of(ReloadResult result);

}  // namespace outrider::sidecar
