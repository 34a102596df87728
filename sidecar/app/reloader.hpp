// Reloader: changes the configuration of a running App.
//
// Used by App, which gives it a turn. It prepares, in several turns:
//
//     reading   the preparer reads the configuration and all files that it names
//     making    encoders and transports are made without the disk, some a turn
//     opening   with a spool: the disk opens the lanes of new destinations
//
// Until then nothing has changed, and whatever goes wrong ends the reload with all errors. Then one
// commit follows, in one turn, which cannot fail, does no I/O and waits for nobody:
// destinations are added and changed in place, those that are removed begin to leave, and router
// and schedules are replaced. A reload that is asked for meanwhile is one more. A stop ends it.
//
// A removed destination leaves in the background, as its on_remove said, and is then parked.
//
// Thread: the sidecar's one. Owns: the configuration in use. Borrows: everything else. Limits:
// reading_max for the preparer, opening_max for the disk; parked_max names of removed destinations.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "sidecar/app/destination_parts.hpp"
#include "sidecar/app/reload_preparer.hpp"
#include "sidecar/base/log.hpp"
#include "sidecar/base/random.hpp"
#include "sidecar/deliver/destination_registry.hpp"
#include "sidecar/observe/reload_board.hpp"
#include "sidecar/route/dispatcher.hpp"
#include "sidecar/route/schedule_runner.hpp"
#include "sidecar/spool/spool.hpp"

namespace outrider::sidecar {

class Reloader {
 public:
  static constexpr Duration reading_max = std::chrono::seconds(30);
  static constexpr Duration opening_max = std::chrono::seconds(30);
  static constexpr std::size_t parked_max = 4096;
  /// Destinations whose parts are made in one turn.
  static constexpr std::size_t made_per_turn_max = 64;
  /// Of the changes or errors that the log names; the outcome has all.
  static constexpr std::size_t lines_max = 50;

  /// The parts of an App; without a spool, two are null.
  struct World {
    DestinationRegistry& destinations;
    Dispatcher& dispatcher;
    Spool* spool;
    std::function<ScheduleRunner*()> schedules;
    /// One begins; or it has ended, and the configuration is then in use or not.
    std::function<void()> on_begin;
    std::function<void(const Config& before, const Config& after, const Now& now)> on_commit;
    std::function<void(const ReloadOutcome& outcome)> on_end;
  };

  Reloader(Config config, ReloadBoard* board, ReloadPreparer* preparer, World world, Log& log,
           std::uint64_t seed);

  int do_work(const Now& now);
  /// No reload is begun or completed any more.
  void stop();
  MonoTime next_deadline() const { return waiting_until_; }

  const Config& config() const { return config_; }

 private:
  /// A destination that is added, changed, or configured again while it leaves.
  struct Change {
    DestinationParts parts;
    DestinationHandle handle = 0;
    bool is_new = false;
    bool returns = false;  ///< was leaving, and does not leave any more
    bool has_other_encoder = false;
  };

  /// A removed destination: the settings by which it may stay, and when it has to have left.
  struct Leaving {
    DestinationConfig config;
    MonoTime until;
  };

  void begin(const Now& now);
  void take_prepared(PreparedReload prepared);
  void make_some(const Now& now);
  void make_change(const DestinationConfig& config, bool has_other_encoder);
  void open_lanes();
  bool waits_in_vain(const Now& now) const { return waiting_until_ <= now.mono; }
  void commit(const Now& now);
  void carry_out(Change& change, const Now& now);
  void remove_destinations(const std::vector<std::string>& names, const Now& now);
  void begin_removal(const Leaving& leaving, const Now& now);
  void park_those_that_left(const Now& now);
  void fail(ReloadResult result, std::vector<std::string> lines);
  void end(ReloadOutcome outcome);
  const Leaving* find_leaving(const std::string& name) const;

  Config config_;
  ReloadBoard* board_;
  ReloadPreparer* preparer_;
  World world_;
  Log& log_;
  Random seeds_;
  std::uint64_t generation_ = 1;
  bool is_running_ = false;
  bool is_stopped_ = false;
  MonoTime waiting_until_ = never;  ///< for the preparer or the disk
  Now turn_{};                      ///< of the current turn
  std::string who_;
  std::optional<PreparedReload> prepared_;  ///< of this reload, once it is read
  struct ToMake {
    std::string name;
    bool has_other_encoder;
  };
  bool is_making_ = false;
  std::vector<ToMake> to_make_;
  std::vector<Change> changes_;
  std::vector<std::string> errors_;
  std::vector<Leaving> leaving_;
};

}  // namespace outrider::sidecar
