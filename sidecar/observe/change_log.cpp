#include "sidecar/observe/change_log.hpp"

#include <array>
#include <string_view>
#include <unordered_map>

namespace outrider::sidecar {
namespace {

struct Transition {
  std::string_view message;  ///< the whole of it, as in the log
  std::string_view kind;
};

/// A message that is reworded where it is written must be reworded here; a test looks for each.
constexpr std::array transitions = {
    // The process
    Transition{"ready", "life"},
    Transition{"stopping", "life"},
    Transition{"a stop was asked for", "life"},
    Transition{"the last run ended without a shutdown; events that were only in memory are lost",
               "life"},
    Transition{"log level changed", "life"},
    Transition{"there is no admin interface", "life"},
    // Whether a destination sends
    Transition{"destination is down; its events wait until a probe succeeds", "breaker"},
    Transition{"destination refuses our credentials; its events wait", "breaker"},
    Transition{"destination recovered", "breaker"},
    Transition{"destination is gone; nothing more is sent to it", "breaker"},
    Transition{"one of several urls fails; the sidecar probes it until it answers", "breaker"},
    Transition{"url recovered", "breaker"},
    Transition{"one of several urls is gone; nothing more is sent to it", "breaker"},
    Transition{"destination hangs in a write; its events wait", "stall"},
    Transition{"destination accepts events again", "stall"},
    Transition{"destination paused", "pause"},
    Transition{"destination resumed", "pause"},
    Transition{"credentials re-read", "credentials"},
    Transition{"changed credentials cannot be used; the old ones stay in use", "credentials"},
    Transition{"the credential files cannot be checked; the old credentials stay in use",
               "credentials"},
    // What is lost
    Transition{"events are dropped", "drops"},
    Transition{"no more events are dropped", "drops"},
    Transition{"events were dropped", "drops"},
    Transition{"dead letters", "dead"},
    Transition{"an operator's request for dead letters", "dead"},
    Transition{"the oldest dead letters were removed; there were more than dead_events_max or "
               "dead_bytes_max allows",
               "dead"},
    Transition{"the oldest dead letters were removed; there were too many, or they were too old",
               "dead"},
    Transition{"clients lost events before they reached the sidecar", "client"},
    Transition{"closed client connections because of invalid traffic", "client"},
    Transition{"new clients are refused: descriptors run out; raise the limit of open files "
               "(LimitNOFILE in the unit), or look for clients that connect too often",
               "client"},
    Transition{"new clients are refused: descriptors run out, and clients are not the cause; raise "
               "the limit of open files (LimitNOFILE in the unit)",
               "client"},
    Transition{"clients disconnected during the ZeroMQ handshake", "client"},
    Transition{"the socket's file or its lock was removed; it was restored, and clients reconnect",
               "client"},
    Transition{"the socket's file or its lock was removed and cannot be restored; new clients "
               "cannot connect, and the sidecar keeps trying",
               "client"},
    Transition{"no subscriber for a fan-out's events; they reach nobody", "subscriber"},
    Transition{"a fan-out's events have a subscriber again", "subscriber"},
    Transition{"a subscriber disconnected; events on the way to it may be lost", "subscriber"},
    Transition{"a worker disconnected; events on the way to it may be lost", "subscriber"},
    // The disk
    Transition{"a new spool was created", "disk"},
    Transition{"the spool's disk is full; nothing new is stored until there is room", "disk"},
    Transition{"the spool's disk has too little room; nothing new is stored until there is more",
               "disk"},
    Transition{"the spool's file has reached its size limit; nothing new is stored until events "
               "leave",
               "disk"},
    Transition{"the spool cannot be written; the sidecar keeps trying", "disk"},
    Transition{"the spool can be written again", "disk"},
    Transition{"the spool's disk has room again", "disk"},
    Transition{"the spool's disk hangs; events that must be stored wait", "disk"},
    Transition{"the spool's disk answers again", "disk"},
    Transition{"the spool could not store everything in time", "disk"},
    Transition{"the spool is damaged; everything that can be read is copied into a new one",
               "disk"},
    Transition{"the damaged spool was set aside; keep it until you know that nothing is missing",
               "disk"},
    Transition{"the damaged spool was set aside whole; there was no room for a copy, and the new "
               "spool is empty",
               "disk"},
    Transition{"the damaged spool was set aside whole; no copy could be made, and the new spool is "
               "empty",
               "disk"},
    Transition{"the interrupted replacement of a damaged spool is now complete", "disk"},
    Transition{"the file of the spool's shared memory was deleted while it was in use; the spool "
               "is opened again",
               "disk"},
    Transition{"the spool's write-ahead log is damaged; the transactions after the damage are "
               "lost, or were not yet safe at a power loss",
               "disk"},
    Transition{"blocks in the spool are damaged; they were set aside in its table `damaged`",
               "disk"},
    // Schedules
    Transition{"the run of a schedule cannot be stored; the sidecar keeps trying", "schedule"},
    Transition{"a schedule has missed more runs than missed_max; the oldest are skipped",
               "schedule"},
    Transition{"the last run of a schedule is ahead of the clock; it makes no events until then",
               "schedule"},
};

const std::unordered_map<std::string_view, std::string_view>& kinds_by_message() {
  static const std::unordered_map<std::string_view, std::string_view> kinds = [] {
    std::unordered_map<std::string_view, std::string_view> map;
    for (const Transition& row : transitions) map.emplace(row.message, row.kind);
    return map;
  }();
  return kinds;
}

/// What it takes, roughly.
std::size_t bytes_of(const Change& change) {
  std::size_t bytes = sizeof change + change.kind.size() + change.message.size();
  for (const auto& [name, value] : change.fields) {
    bytes += sizeof(change.fields[0]) + name.size() + value.size();
  }
  return bytes;
}

}  // namespace

void ChangeLog::write(LogLevel level, std::string_view message, LogFields fields) {
  next_.write(level, message, fields);
  const auto found = kinds_by_message().find(message);
  if (found == kinds_by_message().end()) return;
  Change change;
  change.at = clock_.now().wall;
  change.level = level;
  change.kind = found->second;
  change.message = message;
  for (const auto& [name, value] : fields) {
    change.fields.emplace_back(name, value.substr(0, value_bytes_max));
  }
  const std::lock_guard lock(mutex_);
  change.number = ++last_number_;
  bytes_ += bytes_of(change);
  changes_.push_back(std::move(change));
  while (changes_.size() > changes_max || bytes_ > bytes_max) {
    bytes_ -= bytes_of(changes_.front());
    changes_.pop_front();
  }
}

std::vector<Change> ChangeLog::since(std::uint64_t number) const {
  const std::lock_guard lock(mutex_);
  std::vector<Change> found;
  for (const Change& change : changes_) {
    if (change.number >= number) found.push_back(change);
  }
  return found;
}

std::vector<std::string_view> ChangeLog::messages() {
  std::vector<std::string_view> messages;
  messages.reserve(transitions.size());
  for (const Transition& row : transitions) messages.push_back(row.message);
  return messages;
}

}  // namespace outrider::sidecar
