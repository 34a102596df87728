#include "sidecar/cli/spool_export_command.hpp"

#include <cstdio>

#include <unistd.h>

#include "sidecar/arguments/standard_output.hpp"
#include "sidecar/base/text.hpp"
#include "sidecar/base/time_text.hpp"
#include "sidecar/cli/spool_arguments.hpp"
#include "sidecar/cli/text_table.hpp"
#include "sidecar/encode/event_json.hpp"
#include "sidecar/encode/json_writer.hpp"
#include "sidecar/inspect/event_export.hpp"

namespace outrider::sidecar {
namespace {

TakeValue store_state(std::optional<EventState>& to) {
  return [&to](const std::string& value) -> Status {
    for (const EventStateRow& row : event_states) {
      if (row.name != value) continue;
      to = row.state;
      return Nothing{};
    }
    return Error{"\"" + printable(value, 64) + "\" is none of spooled, scheduled and dead"};
  };
}

std::string_view state_name(EventState state) {
  return event_states[static_cast<std::size_t>(state)].name;
}

class LineWriter {
 public:
  std::string_view line(const ExportedEvent& event) {
    out_.clear();
    out_.raw(json_.members(event.record));
    add_text(",\"destination\":", event.destination);
    add_text(",\"state\":", state_name(event.state));
    if (event.state == EventState::scheduled) add_text(",\"at\":", time_.format_ns(event.due_ns));
    if (event.state == EventState::dead) {
      add_text(",\"reason\":", event.reason);
      out_.raw(",\"status\":");
      out_.signed_integer(event.status);
      out_.raw(",\"attempts\":");
      out_.unsigned_integer(event.attempts);
    }
    out_.raw("}\n");
    return out_.text();
  }

 private:
  void add_text(std::string_view name, std::string_view value) {
    out_.raw(name);
    out_.string(value);
  }

  EventJson json_;
  JsonWriter out_;
  TimeText time_;
};

/// Lines that wait until nothing of the spool is held: their reader may be slow.
class Output {
 public:
  /// `line` ends with its newline. Files get the events unchanged, terminals a safe form.
  void add(std::string_view line) {
    if (is_shown_) {
      waiting_ += printable_json(line.substr(0, line.size() - 1)) + "\n";
    } else {
      waiting_ += line;
    }
  }
  void print() {
    is_written_ =
        is_written_ && std::fwrite(waiting_.data(), 1, waiting_.size(), stdout) == waiting_.size();
    waiting_.clear();
  }
  bool is_written() const { return is_written_; }

 private:
  const bool is_shown_ = isatty(STDOUT_FILENO) != 0;
  std::string waiting_;
  bool is_written_ = true;
};

}  // namespace

int spool_export_command(const std::vector<std::string>& arguments) {
  SpoolChoice choice;
  EventFilter filter;
  const ArgumentTable table{
      .usage = "outrider spool export --config FILE | --spool PATH [OPTIONS] > FILE",
      .rows = with_spool_rows(choice,
                              {{"destination", "NAME", "only the events of this destination",
                                store_text(filter.destination)},
                               {"state", "STATE", "only those that are spooled, scheduled or dead",
                                store_state(filter.state)},
                               {"topic", "PATTERN", "only topics like orders.* or exceptions.>",
                                store_topic_pattern(filter.topic)}}),
      .notes =
          "One event a line, as in a body of format json, with its destination and state.\n"
          "Status 1: something could not be read; stderr says how much. With a running\n"
          "sidecar the output is not one moment of the spool: an event that is stored or\n"
          "settled meanwhile may or may not be in it, and an event that changes its state may\n"
          "be in it twice.\n",
  };
  if (const auto status = read_spool_arguments(table, arguments, choice)) return *status;
  return with_database(table, choice, [&](Database& database) {
    LineWriter writer;
    Output output;
    const auto take = [&](const ExportedEvent& event) {
      output.add(writer.line(event));
      return output.is_written();
    };
    const Unreadable unreadable =
        for_each_event(database, filter, take, [&output] { output.print(); });
    if (!output.is_written()) return has_lost_reader() ? exit_done : exit_failed;
    if (unreadable.events + unreadable.stretches == 0) return exit_done;
    print_error(table, counted(unreadable.events, "event") + " and " +
                           counted(unreadable.stretches, "place") +
                           " in the file could not be read");
    return exit_failed;
  });
}

}  // namespace outrider::sidecar
