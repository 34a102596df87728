#include "sidecar/cli/spool_info_command.hpp"

#include <algorithm>
#include <cstdio>
#include <utility>

#include "sidecar/base/text.hpp"
#include "sidecar/base/time_text.hpp"
#include "sidecar/cli/spool_arguments.hpp"
#include "sidecar/cli/text_table.hpp"
#include "sidecar/encode/json_writer.hpp"

namespace outrider::sidecar {
namespace {

std::string dead_text(const DestinationInfo& destination) {
  std::string text;
  for (const auto& [reason, events] : destination.dead) {
    text += (text.empty() ? "" : ", ") + reason + " " + std::to_string(events);
  }
  return text;
}

/// The name of a schedule, and the expression and zone of its runs.
std::pair<std::string, std::string> parts_of(const ScheduleMark& mark) {
  const std::string name = schedule_of(mark);
  return {name, mark.name.substr(std::min(name.size() + 1, mark.name.size()))};
}

std::string info_text(const SpoolInfo& info, const SpoolChoice& choice, bool is_used) {
  std::string text =
      "spool " + choice.path + ", " + (is_used ? "in use by a sidecar" : "not in use") + "\n";
  text += "file " + rough_size(info.file_bytes) + ", write-ahead log " +
          rough_size(info.log_bytes) + ", " + std::to_string(info.free_pages) + " of " +
          std::to_string(info.pages) + " pages free\n";
  text += counted(info.dead_events, "dead letter") + " of " + rough_size(info.dead_bytes) + ", " +
          counted(info.clients, "client") + " known\n";
  if (info.next_due_ns) {
    text += "next scheduled event " + short_time(*info.next_due_ns) + " for " +
            info.next_due_destination + "\n";
  }
  TextTable destinations({"destination", "spooled", "bytes", "oldest", "newest", "scheduled",
                          "bytes", "dead letters", "damaged", "configured"});
  for (const DestinationInfo& destination : info.destinations) {
    const StoredTotals& totals = destination.totals;
    const auto is_known = is_configured(choice, destination.name);
    destinations.add({destination.name, std::to_string(totals.events), rough_size(totals.bytes),
                      short_time(destination.oldest_ns.value_or(0)),
                      short_time(destination.newest_ns.value_or(0)),
                      std::to_string(totals.scheduled_events), rough_size(totals.scheduled_bytes),
                      dead_text(destination), std::to_string(destination.damaged),
                      !is_known   ? "?"
                      : *is_known ? "yes"
                                  : "no"});
  }
  text += "\n" + destinations.text();
  if (info.schedules.empty()) return text;
  TextTable schedules({"schedule", "runs made until", "of"});
  for (const ScheduleMark& mark : info.schedules) {
    const auto [name, made_for] = parts_of(mark);
    schedules.add({name, short_time(mark.last_ns), made_for});
  }
  return text + "\n" + schedules.text();
}

/// One object, member by member.
class Object {
 public:
  explicit Object(JsonWriter& out) : out_(out) { out_.put('{'); }
  ~Object() { out_.put('}'); }
  Object(const Object&) = delete;
  Object& operator=(const Object&) = delete;

  JsonWriter& member(std::string_view name) {
    out_.name(name, is_first_);
    is_first_ = false;
    return out_;
  }
  void text(std::string_view name, std::string_view value) { member(name).string(value); }
  void number(std::string_view name, std::uint64_t value) { member(name).unsigned_integer(value); }
  void flag(std::string_view name, bool value) { member(name).raw(value ? "true" : "false"); }
  void time(std::string_view name, const std::optional<std::uint64_t>& time_ns) {
    member(name);
    if (!time_ns) return out_.raw("null");
    TimeText text;
    out_.string(text.format_ns(*time_ns));
  }
  template <typename Items, typename Write>
  void list(std::string_view name, const Items& items, const Write& write) {
    member(name).put('[');
    bool is_first_item = true;
    for (const auto& item : items) {
      if (!is_first_item) out_.put(',');
      is_first_item = false;
      write(item);
    }
    out_.put(']');
  }

 private:
  JsonWriter& out_;
  bool is_first_ = true;
};

void write_destination(const DestinationInfo& destination, const SpoolChoice& choice,
                       JsonWriter& out) {
  Object object(out);
  object.text("name", destination.name);
  const auto is_known = is_configured(choice, destination.name);
  if (is_known) object.flag("configured", *is_known);
  object.number("spooled_events", destination.totals.events);
  object.number("spooled_bytes", destination.totals.bytes);
  object.time("oldest", destination.oldest_ns);
  object.time("newest", destination.newest_ns);
  object.number("scheduled_events", destination.totals.scheduled_events);
  object.number("scheduled_bytes", destination.totals.scheduled_bytes);
  object.number("damaged", destination.damaged);
  object.member("dead");
  Object dead(out);
  for (const auto& [reason, events] : destination.dead) dead.number(reason, events);
}

std::string info_json(const SpoolInfo& info, const SpoolChoice& choice, bool is_used) {
  JsonWriter out;
  {
    Object object(out);
    object.text("path", choice.path);
    object.flag("in_use", is_used);
    object.number("file_bytes", info.file_bytes);
    object.number("log_bytes", info.log_bytes);
    object.number("page_bytes", info.page_bytes);
    object.number("pages", info.pages);
    object.number("free_pages", info.free_pages);
    object.number("clients", info.clients);
    object.number("dead_events", info.dead_events);
    object.number("dead_bytes", info.dead_bytes);
    object.time("next_due", info.next_due_ns);
    object.list("destinations", info.destinations, [&](const DestinationInfo& destination) {
      write_destination(destination, choice, out);
    });
    object.list("schedules", info.schedules, [&](const ScheduleMark& mark) {
      Object schedule(out);
      const auto [name, made_for] = parts_of(mark);
      schedule.text("name", name);
      schedule.time("last", mark.last_ns);
      schedule.text("made_for", made_for);
    });
  }
  return std::string(out.text()) + "\n";
}

}  // namespace

int spool_info_command(const std::vector<std::string>& arguments) {
  SpoolChoice choice;
  bool is_json = false;
  const ArgumentTable table{
      .usage = "outrider spool info --config FILE | --spool PATH [--json]",
      .rows = with_spool_rows(
          choice, {{"json", "", "one JSON object instead of text", store_switch(is_json)}}),
  };
  if (const auto status = read_spool_arguments(table, arguments, choice)) return *status;
  return with_spool(table, choice, [&](Database& database, std::string& out) {
    const SpoolInfo info = read_info(database, choice.path);
    const bool is_used = is_in_use(choice.path);
    out = is_json ? info_json(info, choice, is_used) : info_text(info, choice, is_used);
    return exit_done;
  });
}

}  // namespace outrider::sidecar
