// Host: the App in the real world, with sockets, clocks and one thread.
//
// Used by `outrider run` and by embedded mode. Thread: one thread calls run(), which returns when
// the shutdown is complete; request_stop() and reloads() are safe from any thread.
// Owns: everything except the log, and the ZeroMQ context if one is given. Fails with: an Error if
// something cannot be opened; then nothing has been started.
#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <string>

#include "sidecar/base/clock.hpp"
#include "sidecar/base/log.hpp"
#include "sidecar/base/result.hpp"
#include "sidecar/config/config.hpp"
#include "sidecar/config/load.hpp"
#include "sidecar/observe/reload_board.hpp"

namespace outrider::sidecar {

struct AppParts;

class Host {
 public:
  /// Bytes of one peer that libzmq holds in its own buffer, where they no longer count as messages.
  static constexpr std::size_t unsent_bytes_max = 8192;

  /// For reloads.
  struct ReloadHooks {
    /// Reads the configuration again, in another thread; empty: there are no reloads.
    std::function<LoadResult()> load;
    /// One begins, or has ended; in the thread of run().
    std::function<void(bool is_reloading, const Config& in_use)> on_reload;
  };

  /// Opens everything. `zmq_context`: the application's, for inproc endpoints; null for one of our
  /// own.
  static Result<std::unique_ptr<Host>> open(const Config& config, Log& log,
                                            void* zmq_context = nullptr, ReloadHooks hooks = {});
  ~Host();

  /// Called in each turn with its time; returns when it wants the next turn at the latest.
  using OnTurn = std::function<MonoTime(MonoTime now, bool is_stopping)>;

  /// Turns the app until request_stop() has been called and its shutdown is complete.
  void run(const OnTurn& on_turn = {});

  void request_stop();

  /// The log of the process, and its last transitions. Valid until close().
  Log& log();
  /// Safe from any thread, as long as the host lives. `who`: for the log.
  ReloadBoard& reloads();

  // Only while run() is not running.

  /// Some accepted event was dropped or is dead.
  bool has_losses() const;

  /// The ledger, as a table for people.
  std::string report() const;

  /// When the shutdown will be over, once it has begun.
  MonoTime stop_until() const;
  /// Closes everything. False: a ZeroMQ peer took so little during the shutdown that some of its
  /// events may be lost. Called once, and nothing is called after it.
  bool close();
  /// How long a stop may take.
  static Duration stop_time_max(const Config& config);

 private:
  struct Parts;
  static Result<std::unique_ptr<Host>> open_parts(const Config& config, Log& process_log,
                                                  void* zmq_context, ReloadHooks hooks);
  static void open_reloads(ReloadHooks hooks, Parts& parts, AppParts& app_parts);
  static Status open_admin(const Config& config, Parts& parts);
  explicit Host(std::unique_ptr<Parts> parts);

  std::unique_ptr<Parts> parts_;
};

}  // namespace outrider::sidecar
