// SpoolSimulation: one world, from a seed, in which the sidecar lives many lives.
//
// Used by spool_sim_test.cpp, which tells what it is for. How the world is stands in
// spool_sim_world.cpp, how lives begin and end in spool_sim_lives.cpp, what happens in
// spool_sim_acts.cpp, what happens to the disk in spool_sim_disk.cpp and what befalls its files in
// spool_sim_files.cpp, what must hold in spool_sim_checks.cpp. Thread: one.
#pragma once

#include <gtest/gtest.h>
#include <sqlite3.h>

#include "sidecar/base/fault_point.hpp"
#include "sidecar/base/random.hpp"
#include "sidecar/base/time_left.hpp"
#include "sim/hostile_client.hpp"
#include "sim/random_world.hpp"
#include "sim/receiver.hpp"
#include "sim/spool_history.hpp"
#include "sim/spool_schedules.hpp"
#include "support/app_fixture.hpp"
#include "support/spool_tables.hpp"
#include "support/twin_disk.hpp"

namespace outrider::sidecar {

using namespace std::chrono_literals;
using test::Receiver;
using test::SentEvent;
using test::StorageCrash;
using test::StorageOperation;
using test::StoredEvents;
using Tables = std::map<std::string, StoredEvents>;

inline const std::string spool_path = "/spool/outrider.db";
inline constexpr const char* hostile_peer = "hostile";

/// Ends the process at once.
struct ProcessCrash {};

inline std::function<void()> at_fault_point;  // NOLINT(cert-err58-cpp)

/// One call of the sidecar. It fails if the call does more to the disk than any honest one: a loop
/// that never ends would take all memory before it takes all time.
class BoundedCall {
 public:
  BoundedCall(test::StorageTwin& twin, const char* name) : twin_(twin), name_(name) {
    test::hang_place = name;
    twin_.allow_operations(operations_max);
  }
  ~BoundedCall() {
    test::hang_place = "the simulation";
    twin_.allow_operations(UINT64_MAX);
    EXPECT_FALSE(twin_.has_overrun()) << name_ << " never ends";
  }
  BoundedCall(const BoundedCall&) = delete;
  BoundedCall& operator=(const BoundedCall&) = delete;

 private:
  static constexpr std::uint64_t operations_max = 100'000;

  test::StorageTwin& twin_;
  const char* name_;
};

/// One run of the sidecar.
struct Life {
  Exchange exchange;
  std::unique_ptr<StorageAgent> storage;
  std::unique_ptr<test::FakeApp> fake;
  bool is_app_woken = true;
  bool is_storage_woken = true;
  MonoTime storage_stalled_until{};
  bool has_wall_jumped = false;  ///< since the storage agent's last turn
};

class SpoolSimulation {
 public:
  explicit SpoolSimulation(std::uint64_t seed);
  ~SpoolSimulation();
  SpoolSimulation(const SpoolSimulation&) = delete;
  SpoolSimulation& operator=(const SpoolSimulation&) = delete;

  void run();

 private:
  static bool failed() { return ::testing::Test::HasFailure(); }

  // The world -------------------------------------------------------------------------------------

  Config make_config();
  DestinationConfig make_destination();
  /// What a person changes between two runs: destinations come, go, return and get other names.
  void edit_config();
  /// From here on this configuration is in force.
  void begin_plan();
  StorageSettings settings() const;
  StorageCrash crash_kind();
  /// It was a destination from when the event was sent until it was known to be taken, and wants
  /// it.
  bool is_for(const std::string& name, const SentEvent& event) const;
  bool wants(const std::string& name, std::string_view topic) const;
  bool is_sampled_out(const std::string& name, std::string_view id) const;

  Now now() const { return clock_.now(); }
  App& app() { return *life_->fake->app; }
  Receiver& receiver(std::size_t i) { return *receivers_.at(config_.destinations[i].name); }
  void advance(Duration by);
  void jump_wall(Duration by);

  // Lives -----------------------------------------------------------------------------------------

  void start_life();
  void listen();
  void end_life();
  void come_back();
  /// SIGTERM: the end must come in time, whatever the weather and the disk.
  void stop();
  void restart();
  /// What has arrived and was not settled on disk when the process died comes again.
  void note_unsettled();
  void note_report();
  /// Does something that may end in a crash, and comes back to life.
  template <typename Action>
  void survive(const Action& action) {
    try {
      action();
      return;
    } catch (const ProcessCrash&) {
      heal_disk();
    }
    while (!failed()) {
      try {
        come_back();
        return;
      } catch (const ProcessCrash&) {
        fault_points_left_ = 0;
      }
    }
  }

  // What happens ----------------------------------------------------------------------------------

  void act();
  void change_weather();
  void jump_some();
  void stall_storage();
  void send_confirmed();
  void send_unconfirmed();
  void send_again();
  void send(std::uint64_t client, const std::string& frame);
  /// Beside the frames of others, to be confirmed or not.
  void send_hostile();
  test::Weather spool_weather();
  /// The whole process has some left for requests, or has not.
  void set_descriptors(bool has_some);

  // The disk, in spool_sim_disk.cpp.
  void break_disk();
  /// A life that ends at once, for want of descriptors, and leaves everything as it is.
  void start_in_vain();
  void fill_disk();
  /// It starts on a full disk, by its reserve.
  void start_full();
  void disarm_crash();
  /// And nobody else has it open.
  void heal_disk();
  /// Another program holds a lock, or reads, for a while.
  void disturb_disk();
  void begin_foreign(bool is_reader);
  /// A bit of one block is not what was written; its events are lost, and that is counted.
  void damage_block();
  /// What a person does meanwhile, in another process.
  void inspect();

  // Its files, in spool_sim_files.cpp.
  void begin_loss();
  void end_loss();
  /// The database is found damaged while it is in use: all, some or none of it can be copied.
  void replace_store();
  /// Somebody deletes a file that is in use, or puts another in its place.
  void delete_files();
  /// Any bit of the database; at the very end, for nobody can say what it may cost.
  void flip_bit();

  // Turning ---------------------------------------------------------------------------------------

  bool is_stalled() const { return now().mono < life_->storage_stalled_until; }
  bool is_app_due();
  bool is_storage_due() const;
  void turn_app();
  void turn_storage();
  void turn_some();
  /// As the run loops do: until there is nothing to do and nothing is due.
  void turn();
  /// Lets time pass as the run loops do, which sleep until something is due. In between nothing may
  /// be: a wake-up that nobody asked for would have been lost.
  void pass(Duration duration);
  void check_nothing_to_do();

  // What must hold, and the end -------------------------------------------------------------------

  void check_turn();
  /// What stands on disk, which is in order.
  Tables read_disk();
  /// What is known to have arrived need not be on disk.
  bool may_come_again(const Receiver& receiver, const std::string& id) const;
  void check_settled(const Receiver& receiver, const StoredEvents& stored);
  void check_quiet();
  /// Every event that was confirmed, or was ever seen on disk, has arrived, or is on disk, or has
  /// expired by its own wish and is counted.
  void check_ids(const Tables& tables);
  void check_ids_of(const std::string& name, const StoredEvents& stored);
  /// What has died of age since this was last asked had a reason to, in this run.
  void check_ages(const Tables& tables);
  void check_runs_of(const std::string& name, const StoredEvents& stored);
  /// All is well at last: everything goes.
  void finish();
  std::size_t unanswered() const;
  bool is_all_gone();

  Random random_;
  test::ManualClock clock_;
  test::StorageTwin twin_;
  test::EventStyle style_;
  Config config_;
  std::uint64_t log_bytes_ = 0;
  test::MemoryLog log_;
  test::History history_;
  // By the names of the destinations that there ever were.
  std::map<std::string, DestinationConfig> ever_;
  std::map<std::string, std::unique_ptr<Receiver>> receivers_;
  std::map<std::string, std::unique_ptr<Destination>> probes_;  ///< they only tell who is sampled
  std::map<std::string, std::map<std::string, std::uint64_t>> seen_;  ///< on disk: id and number
  std::map<std::string, std::set<std::string>> aged_;                 ///< ids of the dead by age
  std::map<std::string, std::uint64_t> expired_;                      ///< in earlier lives
  std::vector<std::set<std::string>> plans_;  ///< names in each configuration that was in force
  std::vector<std::unique_ptr<test::ModelClient>> clients_;
  std::map<std::string, std::vector<std::uint64_t>> emitted_;  ///< frames, until they are read
  test::HostileClient hostile_{random_.next()};
  std::unique_ptr<Database> foreigner_;  ///< another program's
  bool is_foreigner_reader_ = false;
  std::unique_ptr<Life> life_;
  std::uint64_t fault_points_left_ = 0;  ///< until the process dies at one
  std::uint64_t unordered_up_to_ = 0;
  std::set<std::uint64_t> damaged_;
  std::optional<Tables> before_loss_;  ///< what was on disk before some of it was lost
  std::uint64_t sent_before_loss_ = 0;
  bool has_disasters_ = false;  ///< in this world
  bool is_flipped_ = false;     ///< a bit is: what stands on disk proves nothing
  test::ScheduleOracle schedules_;
  std::map<std::string, Instant> marks_;           ///< the last runs, as they stand on disk
  std::map<std::string, Instant> schedule_began_;  ///< by its mark
  std::vector<Instant> plan_began_;
};

}  // namespace outrider::sidecar
