#include "sidecar/cli/spool_command.hpp"

#include <cstdio>
#include <filesystem>
#include <functional>
#include <system_error>

#include <sys/stat.h>
#include <unistd.h>

#include "sidecar/base/text.hpp"
#include "sidecar/cli/spool_arguments.hpp"
#include "sidecar/cli/spool_export_command.hpp"
#include "sidecar/cli/spool_info_command.hpp"
#include "sidecar/cli/subcommands.hpp"
#include "sidecar/cli/text_table.hpp"
#include "sidecar/inspect/inspection.hpp"
#include "sidecar/inspect/spool_check.hpp"
#include "sidecar/spool/disk.hpp"
#include "sidecar/spool/log_check.hpp"

namespace outrider::sidecar {
namespace {

// verify ------------------------------------------------------------------------------------------

std::string problems_text(const SpoolCheck& check, bool has_cure) {
  std::string text;
  for (const SpoolProblem& problem : check.problems) {
    text += problem.what + "\n";
    if (has_cure) text += "    " + problem.cure + "\n";
  }
  if (check.more_problems > 0) {
    text += "and " + counted(check.more_problems, "problem") + " more\n";
  }
  return text;
}

/// The transactions that SQLite will skip; empty: none. Only for a log without a writer.
std::string log_damage(const std::string& path) try {
  const LogDamage damage = check_write_ahead_log(*open_disk(), wal_path(path));
  if (!damage.is_damaged) return {};
  return "the write-ahead log is damaged: " +
         (damage.transactions == 0 ? "an unknown number of transactions"
                                   : counted(damage.transactions, "transaction")) +
         " after the damage, lost or not yet safe at a power loss\n";
} catch (const SqliteError& error) {
  return "the write-ahead log cannot be checked: " + std::string(error.what()) + "\n";
}

int verify_command(const std::vector<std::string>& arguments) {
  SpoolChoice choice;
  const ArgumentTable table{
      .usage = "outrider spool verify --config FILE | --spool PATH",
      .rows = with_spool_rows(choice, {}),
      .notes = "Reads the whole spool. Status 0: no problems; 1: problems were found.\n",
  };
  if (const auto status = read_spool_arguments(table, arguments, choice)) return *status;
  const std::string log = is_in_use(choice.path) ? "" : log_damage(choice.path);
  return with_spool(table, choice, [&](Database& database, std::string& out) {
    const SpoolCheck check = check_spool(database);
    const std::uint64_t problems =
        check.problems.size() + check.more_problems + (log.empty() ? 0 : 1);
    out = log + problems_text(check, true) + choice.path + ": " +
          (problems == 0 ? "no problems found" : counted(problems, "problem")) + ", " +
          counted(check.events, "spooled event") + " in " + counted(check.blocks, "block") + ", " +
          counted(check.scheduled, "scheduled event") + ", " + counted(check.dead, "dead letter") +
          "\n";
    return problems == 0 ? exit_done : exit_failed;
  });
}

/// On a spool that no sidecar uses meanwhile; errors are printed.
int change_stopped(const ArgumentTable& table, const std::string& path,
                   const std::function<Result<int>()>& change) {
  const auto status = [&]() -> Result<int> {
    if (Status may = check_writable(path); !may.ok()) return may.error();
    const auto lock = SpoolLock::take(path);
    if (!lock.ok()) return lock.error();
    return change();
  }();
  if (status.ok()) return status.value();
  print_error(table, status.error().message);
  return exit_failed;
}

// repair ------------------------------------------------------------------------------------------

/// Of a log without a writer; its content, intact or not, is gone after the repair.
std::string keep_damaged_log(const std::string& path) {
  std::string text = log_damage(path);
  if (text.empty()) return text;
  const std::string name = path + ".damaged-wal";
  std::string kept = name;
  std::error_code error;
  for (int i = 2; std::filesystem::exists(kept, error); ++i) kept = name + "-" + std::to_string(i);
  std::filesystem::copy_file(wal_path(path), kept, error);
  return text +
         (error ? "the damaged log cannot be kept: " + error.message()
                : "the damaged log is kept as " + kept) +
         "\n";
}

/// Files made by root are given to the owner of the spool, because the owner's sidecar could not
/// use them otherwise.
void give_to(const struct stat& owner, const std::string& path) {
  for (const char* end : {"", "-wal", "-shm"}) {
    [[maybe_unused]] const int done = ::chown((path + end).c_str(), owner.st_uid, owner.st_gid);
  }
}

int say_repair(const std::string& path, const SpoolRepair& repair, const std::string& log) {
  const SpoolCheck& after = repair.after;
  if (repair.before.problems.empty()) {
    const std::string whole = path + ": no problems found, nothing was changed\n";
    std::fputs((log.empty() ? whole : log).c_str(), stdout);
    return log.empty() ? exit_done : exit_failed;
  }
  std::string text = log + "found:\n" + problems_text(repair.before, false);
  const std::uint64_t unreadable = repair.replaced ? repair.replaced->unreadable : 0;
  const std::uint64_t lost = repair.lost_events();
  if (repair.replaced) {
    text +=
        "replaced by a new spool of everything that could be read; the old one was set aside as " +
        repair.replaced->damaged_path + "\n";
  }
  if (!after.problems.empty()) text += "still found:\n" + problems_text(after, true);
  if (lost > 0) {
    text += "the recorded totals name " + counted(lost, "event") + " more than were found\n";
  }
  text += path + ": " + counted(after.events, "spooled event") + ", " +
          counted(after.scheduled, "scheduled event") + " and " +
          counted(after.dead, "dead letter") + " are in the spool; " +
          (unreadable + lost == 0 ? "nothing was lost"
                                  : counted(unreadable, "row") + " could not be read") +
          "\n";
  std::fputs(text.c_str(), stdout);
  return after.problems.empty() && unreadable + lost == 0 && log.empty() ? exit_done : exit_failed;
}

int repair_command(const std::vector<std::string>& arguments) {
  SpoolChoice choice;
  const ArgumentTable table{
      .usage = "outrider spool repair --config FILE | --spool PATH",
      .rows = with_spool_rows(choice, {}),
      .notes =
          "Repairs the problems that `outrider spool verify` finds. Rebuilds totals and\n"
          "indexes in place; if that is not enough, sets the spool aside and continues with\n"
          "everything that can be read. The sidecar must be stopped. Status 1: something was\n"
          "lost, or could not be repaired.\n",
  };
  if (const auto status = read_spool_arguments(table, arguments, choice)) return *status;
  return change_stopped(table, choice.path, [&]() -> Result<int> {
    const auto disk = open_disk();
    const std::string log = keep_damaged_log(choice.path);
    struct stat owner {};
    const bool has_owner = ::stat(choice.path.c_str(), &owner) == 0;
    const auto repair = repair_spool(choice.path, *disk, SystemClock().now());
    if (has_owner && ::geteuid() == 0) give_to(owner, choice.path);
    if (!repair.ok()) return repair.error().with_prefix("the spool " + choice.path);
    return say_repair(choice.path, repair.value(), log);
  });
}

// drop --------------------------------------------------------------------------------------------

/// The same, of its tables.
int change_spool(const ArgumentTable& table, const std::string& path,
                 const std::function<Status(Store&)>& change) {
  return change_stopped(table, path, [&]() -> Result<int> {
    auto store = open_to_write(path);
    if (!store.ok()) return store.error();
    Status changed = Nothing{};
    const Status done = guarded(path, [&] { changed = change(*store.value()); });
    if (!done.ok()) return done.error();
    if (!changed.ok()) return changed.error();
    return exit_done;
  });
}

int drop_command(const std::vector<std::string>& arguments) {
  SpoolChoice choice;
  std::string destination;
  bool is_dry = false;
  const ArgumentTable table{
      .usage = "outrider spool drop --config FILE | --spool PATH --destination NAME [--dry-run]",
      .rows = with_spool_rows(
          choice, {{"destination", "NAME",
                    "the destination whose events and dead letters are removed permanently",
                    store_text(destination)},
                   {"dry-run", "", "show what would be removed, and change nothing",
                    store_switch(is_dry)}}),
      .notes = "For a destination that is no longer configured. The sidecar must be stopped.\n",
  };
  if (const auto status = read_spool_arguments(table, arguments, choice)) return *status;
  if (destination.empty()) {
    print_error(table, "--destination NAME is missing");
    return exit_usage;
  }
  std::string what;
  const int found = with_spool(table, choice, [&](Database& database, std::string&) {
    if (Status known = check_destination(database, destination); !known.ok()) {
      print_error(table, known.error().message);
      return exit_failed;
    }
    const Removed there = *count_destination(database, destination);
    what = counted(there.events, "spooled event") + ", " +
           counted(there.scheduled, "scheduled event") + " and " +
           counted(there.dead, "dead letter") + " of " + destination;
    return exit_done;
  });
  if (found != exit_done) return found;
  if (is_configured(choice, destination).value_or(false)) {
    print_error(table, "warning: " + destination + " is still configured in " + choice.config_file);
  }
  if (!is_dry) {
    const int status = change_spool(table, choice.path, [&](Store& store) -> Status {
      remove_destination(store, destination);
      return Nothing{};
    });
    if (status != exit_done) return status;
  }
  std::printf("%s %s\n", is_dry ? "would drop" : "dropped", what.c_str());
  return exit_done;
}

// reset-schedule ----------------------------------------------------------------------------------

int reset_schedule_command(const std::vector<std::string>& arguments) {
  SpoolChoice choice;
  std::string schedule;
  const ArgumentTable table{
      .usage = "outrider spool reset-schedule --config FILE | --spool PATH --schedule NAME",
      .rows = with_spool_rows(
          choice,
          {{"schedule", "NAME", "the schedule whose last run is forgotten", store_text(schedule)}}),
      .notes =
          "The schedule starts over at the next start, for example after the clock was wrong.\n"
          "The sidecar must be stopped.\n",
  };
  if (const auto status = read_spool_arguments(table, arguments, choice)) return *status;
  if (schedule.empty()) {
    print_error(table, "--schedule NAME is missing");
    return exit_usage;
  }
  const int status = change_spool(table, choice.path, [&](Store& store) -> Status {
    if (forget_schedule(store, schedule)) return Nothing{};
    return Error{"the spool has no run of \"" + printable(schedule, 64) +
                 "\"; `outrider spool info` shows the schedules it has"};
  });
  if (status == exit_done) std::printf("schedule %s starts over\n", schedule.c_str());
  return status;
}

}  // namespace

int spool_command(const std::vector<std::string>& arguments) {
  static const std::vector<CommandRow> rows = {
      {"info",
       "prints what it holds for each destination, at a cost that does not depend on its size",
       spool_info_command},
      {"verify", "reads all of it and reports problems", verify_command},
      {"repair", "repairs the problems that verify finds, and reports losses", repair_command},
      {"export", "prints the events as lines of JSON", spool_export_command},
      {"drop", "removes the events and dead letters of a destination that is no longer configured",
       drop_command},
      {"reset-schedule", "forgets the last run of a schedule, which then starts over",
       reset_schedule_command},
  };
  return run_subcommand("spool", rows, arguments);
}

}  // namespace outrider::sidecar
