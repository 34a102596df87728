// App: the whole sidecar as one object, without a socket, a clock or a thread of its own.
//
// Used by Host, which connects it to the real world, and by the simulation, which simulates one. It
// connects source -> ingest -> dispatcher -> destinations -> transports and the spool, gives each
// its turn, and carries out the shutdown:
//
//     running    until request_stop()
//     draining   no new clients; frames on their way are still taken, for a moment
//     flushing   nothing more is taken; destinations send their events, for `linger` at most
//     storing    with a spool: the remaining events are written there
//     finished   remaining events are counted as dropped; the report is final
//
// Other threads look at it and command it: a Snapshot is taken when one is asked for, and requests
// in the ControlQueue are carried out at the beginning of a turn (app_control.cpp).
//
// Thread: one. Owns: all its parts.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string_view>
#include <vector>

#include "sidecar/app/destination_parts.hpp"
#include "sidecar/app/memory_mark.hpp"
#include "sidecar/app/reloader.hpp"
#include "sidecar/app/report.hpp"
#include "sidecar/app/snapshot_taker.hpp"
#include "sidecar/base/agent.hpp"
#include "sidecar/base/log.hpp"
#include "sidecar/base/result.hpp"
#include "sidecar/config/config.hpp"
#include "sidecar/deliver/destination_registry.hpp"
#include "sidecar/ingest/confirm_agent.hpp"
#include "sidecar/ingest/ingest_agent.hpp"
#include "sidecar/observe/control.hpp"
#include "sidecar/route/dispatcher.hpp"
#include "sidecar/route/schedule_runner.hpp"
#include "sidecar/spool/spool.hpp"
#include "sidecar/spool/storage_agent.hpp"

namespace outrider::sidecar {

/// The parts of the outside world that the app uses.
struct AppParts {
  std::unique_ptr<FrameSource> source;
  // With a spool only.
  std::unique_ptr<ConfirmSource> confirm_source = nullptr;
  Exchange* exchange = nullptr;
  SpoolState spool_state = {};
  MemoryMark* memory_mark = nullptr;

  // For those who look at it and command it from outside; each may be left out.
  SnapshotTaker::Sources snapshots = {};
  ControlQueue* control = nullptr;
  std::function<void(LogLevel)> set_log_level = {};
  // Without these, the configuration stays as it is.
  ReloadBoard* reloads = nullptr;
  ReloadPreparer* reload_preparer = nullptr;
  /// True: one begins. False: it has ended; the configuration in use is App::config().
  std::function<void(bool is_reloading)> on_reload = {};

  MakeTransport make_transport;
  std::uint64_t seed;
};

class App final : public Agent {
 public:
  /// How much longer than the linger time a stop may take, to write the remaining events to the
  /// spool.
  static constexpr Duration storing_max = std::chrono::seconds(5);

  static Result<std::unique_ptr<App>> create(const Config& config, AppParts parts, Log& log);

  int do_work(const Now& now) override;
  MonoTime next_deadline() const override;

  /// Begins the shutdown at the next turn.
  void request_stop() { is_stop_requested_ = true; }
  bool is_stopping() const { return phase_ != Phase::running; }
  bool is_finished() const { return phase_ == Phase::finished; }

  /// The process was paused for this long: that does not count as time of the stop. Before the
  /// turn.
  void make_up_for(Duration lost);

  Report report() const;
  /// In use.
  const Config& config() const { return reloader_.config(); }

  /// Its knowledge of the disk; null without a spool.
  Spool* spool() { return spool_.get(); }

  /// The deadline by which transports must have sent all data; only once the shutdown has begun.
  MonoTime linger_until() const { return linger_until_; }

  /// When the shutdown will be over; only once it has begun.
  MonoTime stop_until() const { return spool_ ? linger_until_ + storing_max : linger_until_; }

  /// Somebody else has changed the spool.
  void look_at_spool() {
    if (spool_) spool_->look_again();
  }

 private:
  enum class Phase : std::uint8_t { running, draining, flushing, storing, finished };

  App(const Config& config, AppParts& parts, std::unique_ptr<Spool> spool, Recurrence recurrence,
      DestinationRegistry destinations, Log& log, std::uint64_t seed);

  int do_turn(const Now& now);
  void note_answer(const ConfirmedFrame& frame, const FrameAnswer& answer);
  void mark_memory(const Now& now);

  void take_requests(const Now& now);
  Status carry_out(const ControlRequest& request, const Now& now);
  Status pause_or_resume(const ControlRequest& request, const Now& now);
  Reloader::World reload_world(const AppParts& parts);
  static bool redacts(const Config& config);
  void use(const Config& before, const Config& after, const Now& now);
  void fill(Snapshot& snapshot) const;
  Report report_of_intake() const;

  void begin_stop(const Now& now);
  void drain(int frames, const Now& now);
  void flush(const Now& now);
  void store(const Now& now);
  void finish();

  Duration linger_;
  Log& log_;
  std::unique_ptr<FrameSource> source_;
  std::unique_ptr<ConfirmSource> confirm_source_;
  std::unique_ptr<Spool> spool_;
  MemoryMark* memory_mark_;
  DestinationRegistry destinations_;
  Dispatcher dispatcher_;
  IngestAgent ingest_;
  // With a spool only.
  std::optional<ConfirmAgent> confirm_;
  std::optional<ScheduleRunner> schedules_;

  const Exchange* exchange_;  ///< null without a spool
  ControlQueue* control_;
  std::function<void(LogLevel)> set_log_level_;
  SnapshotTaker snapshots_;
  Reloader reloader_;
  Now turn_{};  ///< of the current turn

  bool is_stop_requested_ = false;
  Phase phase_ = Phase::running;
  MonoTime drain_until_{};
  MonoTime quiet_until_{};
  MonoTime linger_until_{};
};

}  // namespace outrider::sidecar
