#include "sidecar/spool/storage_agent.hpp"

#include <algorithm>
#include <utility>

#include "sidecar/base/fault_point.hpp"

namespace outrider::sidecar {
namespace {

/// The wall clock may jump while we wait by the monotonic one.
constexpr Duration clock_look_interval = std::chrono::seconds(1);
constexpr Duration trouble_retry_interval = std::chrono::milliseconds(200);
/// A path to the disk that comes and goes is back in this time.
constexpr Duration unread_max = std::chrono::seconds(10);
constexpr int read_errors_min = 5;
/// Those that are longer apart have passed in between.
constexpr Duration read_errors_apart = std::chrono::minutes(1);
constexpr std::uint64_t nothing_due = UINT64_MAX;
constexpr Duration measure_interval = std::chrono::seconds(1);

}  // namespace

Result<std::unique_ptr<StorageAgent>> StorageAgent::open(StorageSettings settings,
                                                         std::unique_ptr<Disk> disk,
                                                         Exchange& exchange, Log& log,
                                                         const Now& now) {
  const std::string where = "spool " + settings.path;
  std::unique_ptr<StorageAgent> agent(
      new StorageAgent(std::move(settings), std::move(disk), exchange, log));
  try {
    agent->keeper_.open(now);
  } catch (const std::exception& error) {
    return Error{where + ": " + error.what()};
  }
  agent->measure(false, now);
  return agent;
}

// Turning -----------------------------------------------------------------------------------------

int StorageAgent::do_work(const Now& now) {
  static const Question nothing;
  std::unique_ptr<Question> question;
  if (!is_waiting_ || now.mono >= retry_at_) {
    is_waiting_ = false;
    question = exchange_.take();
  }
  const bool looks = keeper_.lock().is_touched() && now.mono >= retry_at_;
  const bool has_work = question || looks || (writer_.has_due(now) && may_release(now));
  if (question && question->wants_look) keeper_.lock().doubt();
  if (has_work) {
    std::optional<Reply> answer = do_group(question ? *question : nothing, now);
    if (answer) {
      ++numbers_.transactions;
      numbers_.is_failing = answer->has_failed;
      answer->question = std::move(question);
      answer->is_store_new = keeper_.take_is_store_new();
      if (answer->question || !answer->lanes.empty() || answer->is_store_new) {
        are_numbers_old_ = true;
        exchange_.answer(std::make_unique<Reply>(std::move(*answer)));
      }
      fault_point("after_answer");
    } else if (question) {
      is_waiting_ = true;
      exchange_.put_back(std::move(question));
    }
  }
  // Another store has something to say to the lanes, which the next turn does.
  if (keeper_.keep_house(now)) writer_.look_anew();
  measure(has_work, now);
  look_ahead(now);
  return has_work && !is_waiting_ ? 1 : 0;
}

void StorageAgent::measure(bool has_worked, const Now& now) {
  const bool is_time = now.mono >= next_measure_;
  if (is_time) {
    next_measure_ = now.mono + measure_interval;
    are_numbers_old_ = false;
    keeper_.measure(numbers_);
  }
  if (is_time || has_worked) exchange_.note_numbers(numbers_);
}

bool StorageAgent::may_release(const Now& now) const {
  return now.mono >= retry_at_ && exchange_.uncollected() < uncollected_max;
}

void StorageAgent::look_ahead(const Now& now) {
  wake_at_ = keeper_.next_deadline();
  const std::uint64_t next_due_ns = writer_.next_due_ns();
  if (is_waiting_ || keeper_.lock().is_touched()) wake_at_ = std::min(wake_at_, retry_at_);
  if (are_numbers_old_) wake_at_ = std::min(wake_at_, next_measure_);
  if (next_due_ns == nothing_due) return;
  if (exchange_.uncollected() >= uncollected_max) {
    wake_at_ = now.mono + std::chrono::milliseconds(1);
    return;
  }
  const std::uint64_t wall_ns = now.wall_ns();
  const auto left = next_due_ns <= wall_ns
                        ? Duration::zero()
                        : Duration(static_cast<Duration::rep>(next_due_ns - wall_ns));
  wake_at_ = std::min(wake_at_, now.mono + std::min(left, clock_look_interval));
  wake_at_ = std::max(wake_at_, retry_at_);
}

// Groups ------------------------------------------------------------------------------------------

/// All of it, or else the part that needs no room. Nothing: it has to wait for another program.
std::optional<Reply> StorageAgent::do_group(const Question& question, const Now& now) {
  Reply answer;
  GroupScope scope;
  scope.releases = may_release(now);
  scope.sends_back = exchange_.uncollected() < uncollected_max;
  // Events that a stop puts back take the room of those that they replace, and the old ones must
  // not be settled without them.
  const bool is_stop = !question.front.empty();
  std::optional<StorageTrouble> lack;
  if (question.has_intake() && !is_stop) lack = keeper_.lack_of_room(question.bytes.size(), now);
  scope.takes_in = question.has_intake() && !lack;
  const std::optional<StorageTrouble> trouble = attempt(question, scope, answer, now);
  if (trouble == StorageTrouble::busy) return std::nullopt;
  const bool can_do_less = (scope.takes_in && !is_stop) || scope.releases;
  if (trouble && can_do_less && !question.is_empty() && keeper_.is_open()) {
    scope.takes_in = scope.takes_in && is_stop;
    scope.releases = false;
    const auto again = attempt(question, scope, answer, now);
    if (again == StorageTrouble::busy) return std::nullopt;
    answer.has_failed = again.has_value();
  } else {
    answer.has_failed = trouble.has_value();
  }
  const bool is_taken_in = scope.takes_in && !answer.has_failed;
  if (question.has_intake() && !is_taken_in) {
    answer.intake_trouble = lack ? *lack : trouble.value_or(StorageTrouble::failing);
  }
  for (const ReadRequest& request : question.reads) {
    ReadAnswer& read = answer.lanes[request.lane].read.emplace();
    read.has_failed = answer.has_failed || !attempt_read(request, read, now);
  }
  return answer;
}

/// Nothing: it is done.
std::optional<StorageTrouble> StorageAgent::attempt(const Question& question,
                                                    const GroupScope& scope, Reply& answer,
                                                    const Now& now) {
  for (int looks = 1;;) {
    try {
      keeper_.check_shared_memory();
      if (!keeper_.is_open()) {
        writer_.look_anew();
        keeper_.open(now);
      }
      answer = writer_.write(question, scope, now);
      keeper_.lock().note_looked();
      if (scope.takes_in) keeper_.note_recovery(now);
      group_read_errors_ = {};
      return std::nullopt;
    } catch (const std::exception& error) {
      answer = {};
      if (look_again(error, group_read_errors_, looks, now)) continue;
      // A stop puts back events that were there before.
      const bool takes_in = scope.takes_in && question.front.empty();
      // With a step of the reserve it may succeed at once; the number of steps is limited.
      const bool releases = scope.releases && writer_.has_due(now);
      const ReserveUse use = takes_in   ? ReserveUse::none
                             : releases ? ReserveUse::half
                                        : ReserveUse::all;
      if (note_trouble(error, use, now)) continue;
      return trouble_of(error);
    }
  }
}

bool StorageAgent::attempt_read(const ReadRequest& request, ReadAnswer& answer, const Now& now) {
  // The read before may have found that the spool is beyond help.
  if (!keeper_.is_open()) return false;
  ReadErrors& read_errors = lane_read_errors_[request.lane];
  for (int looks = 1;;) {
    try {
      if (!keeper_.is_open()) keeper_.open(now);
      answer = writer_.read(request, now);
      read_errors = {};
      return true;
    } catch (const std::exception& error) {
      answer = {};
      const bool is_again = look_again(error, read_errors, looks, now);
      if (!is_again) note_trouble(error, ReserveUse::all, now);
      // The lane reads the remaining content again.
      if (!is_again || keeper_.is_open()) return false;
    }
  }
}

/// True: the damaged database is to be tried again; the first time the same store, opened again,
/// and then the remaining content of it.
bool StorageAgent::look_again(const std::exception& error, ReadErrors& errors, int& looks,
                              const Now& now) {
  writer_.look_anew();
  const auto* known = dynamic_cast<const SqliteError*>(&error);
  if (known == nullptr || !known->may_be_damage() || looks > 2) return false;
  ++looks;
  if (known->is_read_error()) {
    if (errors.count == 0 || now.mono - errors.last > read_errors_apart) errors = {0, now.mono, {}};
    ++errors.count;
    errors.last = now.mono;
    const bool lasts = now.mono - errors.first >= unread_max;
    if (!lasts || errors.count < read_errors_min) return false;
    errors = {};
    return keeper_.mend(error.what(), UnreadPlaces::step_over, now);
  }
  if (looks == 2) {
    keeper_.close();
    return true;
  }
  return keeper_.mend(error.what(), UnreadPlaces::fail, now);
}

/// True: room was made.
bool StorageAgent::note_trouble(const std::exception& error, ReserveUse use, const Now& now) {
  const bool is_room_made = keeper_.note_trouble(error, use, now);
  writer_.look_anew();
  retry_at_ = now.mono + trouble_retry_interval;
  return is_room_made;
}

}  // namespace outrider::sidecar
