#include "sidecar/inspect/dead_jobs.hpp"

#include <algorithm>
#include <array>
#include <condition_variable>
#include <deque>
#include <map>
#include <mutex>
#include <utility>

#include "sidecar/base/text.hpp"
#include "sidecar/inspect/inspection.hpp"
#include "sidecar/inspect/spool_access.hpp"

namespace outrider::sidecar {
namespace {

constexpr std::size_t ids_shown_max = 8;

struct Job {
  DeadJob shown;
  DeadFilter filter;  ///< of the letters still to be looked at, the oldest first
  std::int64_t first_id = INT64_MIN;
  std::vector<std::int64_t> asked_for;  ///< ids
  std::uint64_t lane_bytes = 0;
  MonoTime next_step{};
  bool is_cancelled = false;
  bool is_logged = false;
};

std::string target_of(const DeadFilter& filter) {
  std::string text;
  const auto add = [&](const std::string& word) {
    if (!text.empty()) text += ' ';
    text += word;
  };
  for (const auto& [name, value] : filter_members(filter)) add(name + "=" + value);
  if (!filter.ids.empty()) {
    const std::size_t shown = std::min(filter.ids.size(), ids_shown_max);
    for (std::size_t i = 0; i < shown; ++i) add("id=" + std::to_string(filter.ids[i]));
    if (shown < filter.ids.size()) {
      add("and " + std::to_string(filter.ids.size() - shown) + " more");
    }
  } else {
    add("highest_id=" + std::to_string(filter.highest_id));
  }
  return text;
}

Error not_open() {
  return {"the sidecar opens or repairs its spool; try again in a moment"};
}

void go_on_after(const std::optional<std::int64_t>& last, Job& job) {
  job.filter.lowest_id = last.value_or(INT64_MAX - 1) + 1;
}

// The steps of a job ------------------------------------------------------------------------------

/// Counts some of the letters. The filter is put back to its beginning when all are counted.
void count_some(const std::string& path, Job& job) {
  auto database = open_to_read(path);
  Status status = status_of(database);
  DeadPage page;
  if (status.ok()) {
    status = guarded(path, [&] {
      page = scan_dead(database.value(), job.filter,
                       {.order = DeadOrder::oldest_first, .rows_max = DeadJobs::rows_at_once});
    });
  }
  DeadJob& shown = job.shown;
  if (!status.ok()) {
    shown.state = DeadJobState::failed;
    shown.error = status.error().message;
    return;
  }
  shown.counted += page.letters.size();
  go_on_after(page.next, job);
  if (page.next) return;
  job.filter.lowest_id = job.first_id;
  shown.state = DeadJobState::running;
  if (shown.counted == shown.expected) return;
  shown.state = DeadJobState::refused;
  shown.error = "there are " + counted(shown.counted, "dead letter") + " of these and not " +
                std::to_string(shown.expected) +
                "; nothing was changed; list them again, and send the new count";
}

/// A destination of these letters has so much on disk that they must wait.
bool must_wait(Database& database, const std::vector<DeadHead>& letters, const Job& job) {
  std::map<std::string, std::uint64_t> bytes;
  for (const DeadHead& letter : letters) bytes[letter.destination] += letter.bytes;
  for (const auto& [id, known] : read_destinations(database)) {
    const auto found = bytes.find(known.name);
    if (found == bytes.end() || known.totals.events == 0) continue;
    if (known.totals.bytes + found->second > job.lane_bytes) return true;
    if (job.shown.changed > 0 && known.totals.events > DeadJobs::lane_events_max) return true;
  }
  return false;
}

void change(Store& store, const std::vector<DeadHead>& letters, DeadJob& shown, const Now& now) {
  std::uint64_t changed = 0;
  store.begin(true);
  for (const DeadHead& letter : letters) {
    changed += change_dead(store, shown.action, letter.id, now) ? 1 : 0;
  }
  store.commit();
  shown.changed += changed;
  shown.gone += letters.size() - changed;
}

/// Returns when the next step is due.
Duration change_some(const std::string& path, Job& job, const Now& now) {
  auto store = open_to_write(path);
  Status status = status_of(store);
  DeadJob& shown = job.shown;
  Duration pause = pause_between_letters;
  const auto step = [&] {
    const DeadPage page = scan_dead(store.value()->database(), job.filter,
                                    {.order = DeadOrder::oldest_first,
                                     .letters_max = letters_at_once,
                                     .bytes_max = letter_bytes_at_once,
                                     .rows_max = DeadJobs::rows_at_once});
    shown.state = DeadJobState::running;
    if (shown.action == DeadAction::retry &&
        must_wait(store.value()->database(), page.letters, job)) {
      shown.state = DeadJobState::paced;
      pause = DeadJobs::pace_interval;
      return;
    }
    if (!page.letters.empty()) change(*store.value(), page.letters, shown, now);
    go_on_after(page.next, job);
    if (!page.next) shown.state = DeadJobState::done;
  };
  if (status.ok()) {
    status = guarded(path, step);
    if (!status.ok()) store.value()->roll_back();
    touch_spool(path);
  }
  if (!status.ok()) {
    shown.state = DeadJobState::failed;
    shown.error = status.error().message;
  }
  return pause;
}

}  // namespace

bool change_dead(Store& store, DeadAction action, std::int64_t id, const Now& now) {
  return action == DeadAction::retry ? store.put_back_dead(id, now) : store.remove_dead(id);
}

std::string_view name_of(DeadAction action) {
  return action == DeadAction::retry ? "retry" : "drop";
}

std::string_view name_of(DeadJobState state) {
  constexpr std::array<std::string_view, 7> names = {"counting",  "running", "paced", "done",
                                                     "cancelled", "refused", "failed"};
  return names.at(static_cast<std::size_t>(state));
}

/// Shared with the thread; lives as long as either of the two.
struct DeadJobs::State {
  State(Settings settings, Log& to)
      : path(std::move(settings.path)),
        lane_bytes(std::min(settings.lane_bytes, lane_bytes_max)),
        gate(std::move(settings.gate)),
        log(to) {}

  const std::string path;
  const std::uint64_t lane_bytes;
  const std::shared_ptr<SpoolGate> gate;
  const SystemClock clock;
  Log& log;  ///< never after is_ending

  mutable std::mutex mutex;  ///< guards all below
  std::condition_variable has_work;
  mutable std::condition_variable has_ended;
  std::deque<std::function<void()>> reads;
  std::map<std::uint64_t, Job> jobs;
  std::uint64_t last_id = 0;
  bool is_ending = false;

  void work();
  void step(Job job);
  void write_line(const DeadJob& job, std::string_view result);
  Job* next_job();
  std::size_t active() const {
    return static_cast<std::size_t>(
        std::ranges::count_if(jobs, [](const auto& it) { return !it.second.shown.has_ended(); }));
  }
  void forget_oldest() {
    const auto oldest =
        std::ranges::find_if(jobs, [](const auto& it) { return it.second.shown.has_ended(); });
    if (jobs.size() >= jobs_known_max && oldest != jobs.end()) jobs.erase(oldest);
  }
};

Job* DeadJobs::State::next_job() {
  Job* next = nullptr;
  for (auto& [id, job] : jobs) {
    if (job.shown.has_ended()) continue;
    if (next == nullptr || job.next_step < next->next_step) next = &job;
  }
  return next;
}

void DeadJobs::State::work() {
  std::unique_lock lock(mutex);
  while (!is_ending) {
    if (!reads.empty()) {
      const auto read = std::move(reads.front());
      reads.pop_front();
      lock.unlock();
      read();
      lock.lock();
      continue;
    }
    const Job* const next = next_job();
    if (next == nullptr) {
      has_work.wait(lock);
      continue;
    }
    const Duration wait = next->next_step - clock.now().mono;
    if (wait > Duration::zero() && !next->is_cancelled) {
      has_work.wait_for(lock, wait);
      continue;
    }
    Job job = *next;
    lock.unlock();
    step(std::move(job));
    lock.lock();
  }
}

void DeadJobs::State::step(Job job) {
  const Now now = clock.now();
  Duration pause{};
  const SpoolGate::Pass pass = gate->enter();
  if (job.is_cancelled) {
    job.shown.state = DeadJobState::cancelled;
  } else if (!pass) {
    pause = pace_interval;
  } else if (job.shown.state == DeadJobState::counting) {
    count_some(path, job);
  } else {
    pause = change_some(path, job, now);
  }
  job.next_step = clock.now().mono + pause;
  const std::lock_guard lock(mutex);
  if (is_ending) return;
  const auto found = jobs.find(job.shown.id);
  job.is_cancelled = found->second.is_cancelled;
  if (job.shown.has_ended()) {
    job.shown.ended_at = clock.now().wall;
    const DeadJob& shown = job.shown;
    write_line(shown, shown.error.empty() ? name_of(shown.state) : shown.error);
  } else if (job.shown.changed > 0 && !job.is_logged) {
    job.is_logged = true;
    write_line(job.shown, "begun");
  }
  found->second = std::move(job);
  if (found->second.shown.has_ended()) has_ended.notify_all();
}

void DeadJobs::State::write_line(const DeadJob& job, std::string_view result) {
  log.info("an operator's request for dead letters", {{"action", std::string(name_of(job.action))},
                                                      {"target", job.target},
                                                      {"count", std::to_string(job.changed)},
                                                      {"who", job.who},
                                                      {"result", std::string(result)},
                                                      {"job", std::to_string(job.id)}});
}

DeadJobs::DeadJobs(Settings settings, Log& log)
    : state_(std::make_shared<State>(std::move(settings), log)),
      thread_("dead letters", std::chrono::milliseconds(0)) {}

DeadJobs::~DeadJobs() {
  if (!is_started_) return;
  {
    const std::lock_guard lock(state_->mutex);
    state_->is_ending = true;
  }
  state_->has_work.notify_all();
  thread_.wait_for(end_wait_max);
}

bool DeadJobs::start() {
  if (!is_started_) is_started_ = thread_.run([state = state_] { state->work(); });
  return is_started_;
}

// Reading -----------------------------------------------------------------------------------------

template <typename Answer>
Result<std::future<Answer>> DeadJobs::post(std::function<Answer()> read) {
  if (!start()) return Error{"there can be no thread; raise the limit of threads"};
  auto task = std::make_shared<std::packaged_task<Answer()>>(std::move(read));
  std::future<Answer> answer = task->get_future();
  const std::lock_guard lock(state_->mutex);
  if (state_->reads.size() >= reads_max) {
    return Error{"the spool's disk is slow, and others wait for it; try again"};
  }
  state_->reads.emplace_back([task] { (*task)(); });
  state_->has_work.notify_all();
  return answer;
}

Result<std::future<DeadJobs::ListAnswer>> DeadJobs::list(DeadFilter filter, std::size_t letters_max,
                                                         bool counts) {
  return post<ListAnswer>(
      [state = state_, filter = std::move(filter), letters_max, counts]() -> ListAnswer {
        const SpoolGate::Pass pass = state->gate->enter();
        if (!pass) return not_open();
        auto database = open_to_read(state->path);
        if (!database.ok()) return database.error();
        const MonoTime end = state->clock.now().mono + read_time_max;
        const auto is_time_up = [&] { return state->clock.now().mono >= end; };
        DeadList list;
        Status status = guarded(state->path, [&] {
          const Status known = check_destination(database.value(), filter.destination);
          if (!known.ok()) {
            list.unknown = known.error();
            return;
          }
          list.page = scan_dead(
              database.value(), filter,
              {.letters_max = letters_max, .rows_max = rows_at_once, .is_time_up = is_time_up});
          if (!counts) return;
          DeadFilter rest = filter;
          if (list.page.next) rest.highest_id = *list.page.next - 1;
          const DeadPage more = list.page.next
                                    ? scan_dead(database.value(), rest, {.is_time_up = is_time_up})
                                    : DeadPage{};
          if (!more.next) list.total = list.page.letters.size() + more.letters.size();
        });
        if (!status.ok()) return status.error();
        return list;
      });
}

Result<std::future<DeadJobs::LetterAnswer>> DeadJobs::read(std::int64_t id) {
  return post<LetterAnswer>([state = state_, id]() -> LetterAnswer {
    const SpoolGate::Pass pass = state->gate->enter();
    if (!pass) return not_open();
    auto database = open_to_read(state->path);
    if (!database.ok()) return database.error();
    std::optional<DeadWhole> letter;
    Status status = guarded(state->path, [&] { letter = read_dead(database.value(), id); });
    if (!status.ok()) return status.error();
    return letter;
  });
}

// Jobs --------------------------------------------------------------------------------------------

Result<std::uint64_t> DeadJobs::ask(DeadRequest request) {
  if (!start()) return Error{"there can be no thread; raise the limit of threads"};
  const std::lock_guard lock(state_->mutex);
  State& state = *state_;
  const std::string target = target_of(request.filter);
  for (const auto& [id, job] : state.jobs) {
    if (request.key.empty() || job.shown.key != request.key) continue;
    if (job.shown.action == request.action && job.asked_for == request.filter.ids &&
        job.shown.target == target && job.shown.expected == request.expected) {
      return id;
    }
    return Error{"the key is that of job " + std::to_string(id) +
                 ", which is another one; use a new key"};
  }
  if (state.active() >= jobs_active_max) {
    return Error{std::to_string(jobs_active_max) +
                 " jobs have not ended; wait for one, or cancel one"};
  }
  state.forget_oldest();
  Job job;
  job.shown.id = ++state.last_id;
  job.shown.action = request.action;
  job.shown.target = target;
  job.shown.who = std::move(request.who);
  job.shown.key = std::move(request.key);
  job.shown.expected = request.expected;
  job.shown.asked_at = state.clock.now().wall;
  job.lane_bytes = state.lane_bytes;
  job.asked_for = request.filter.ids;
  job.first_id = request.filter.lowest_id;
  job.filter = std::move(request.filter);
  state.jobs.emplace(job.shown.id, std::move(job));
  state.has_work.notify_all();
  return state.last_id;
}

bool DeadJobs::is_full() const {
  const std::lock_guard lock(state_->mutex);
  return state_->active() >= jobs_active_max;
}

std::optional<DeadJob> DeadJobs::job(std::uint64_t id) const {
  return wait_for(id, Duration::zero());
}

std::optional<DeadJob> DeadJobs::wait_for(std::uint64_t id, Duration patience) const {
  std::unique_lock lock(state_->mutex);
  const auto found = state_->jobs.find(id);
  if (found == state_->jobs.end()) return std::nullopt;
  // Those that have not ended are not forgotten; one that has may be.
  DeadJob job = found->second.shown;
  state_->has_ended.wait_for(lock, patience, [&] {
    const auto now = state_->jobs.find(id);
    if (now != state_->jobs.end()) job = now->second.shown;
    return job.has_ended();
  });
  return job;
}

std::vector<DeadJob> DeadJobs::jobs() const {
  const std::lock_guard lock(state_->mutex);
  std::vector<DeadJob> all;
  for (const auto& [id, job] : state_->jobs) all.push_back(job.shown);
  return all;
}

bool DeadJobs::cancel(std::uint64_t id) {
  const std::lock_guard lock(state_->mutex);
  const auto found = state_->jobs.find(id);
  if (found == state_->jobs.end() || found->second.shown.has_ended()) return false;
  found->second.is_cancelled = true;
  found->second.next_step = MonoTime::min();
  state_->has_work.notify_all();
  return true;
}

}  // namespace outrider::sidecar
