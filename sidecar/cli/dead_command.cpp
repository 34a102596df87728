#include "sidecar/cli/dead_command.hpp"

#include <algorithm>
#include <cstdio>
#include <set>

#include "sidecar/base/text.hpp"
#include "sidecar/base/time_text.hpp"
#include "sidecar/cli/dead_sidecar.hpp"
#include "sidecar/cli/dead_source.hpp"
#include "sidecar/cli/subcommands.hpp"
#include "sidecar/cli/text_table.hpp"
#include "sidecar/encode/json_writer.hpp"

namespace outrider::sidecar {
namespace {

// Which dead letters ------------------------------------------------------------------------------

struct DeadOptions {
  DeadChoice source;
  DeadFilter filter;
  bool is_limited = false;
  bool wants_all = false;

  bool selects() const {
    return !filter.ids.empty() || !filter_members(filter).empty() || is_limited || wants_all;
  }
};

TakeValue store_id(std::vector<std::int64_t>& to) {
  return [&to](const std::string& value) -> Status {
    const auto id = parse_dead_id(value);
    if (id.ok()) to.push_back(id.value());
    return status_of(id);
  };
}

/// A member of the filter.
TakeValue store_member(const char* name, DeadFilter& filter) {
  return [name, &filter](const std::string& value) {
    return status_of(take_filter_member(name, value, SystemClock().now().wall_ns(), filter));
  };
}

TakeValue store_limit(DeadOptions& options) {
  return [&options](const std::string& value) -> Status {
    options.is_limited = true;
    return store_count(options.filter.events_max)(value);
  };
}

std::vector<ArgumentRow> filter_rows(DeadOptions& options, std::vector<ArgumentRow> more) {
  DeadFilter& filter = options.filter;
  std::vector<ArgumentRow> rows = {
      {"destination", "NAME", "only those of this destination",
       store_member("destination", filter)},
      {"topic", "PATTERN", "only topics like orders.* or exceptions.>",
       store_member("topic", filter)},
      {"reason", "REASON", "only those with this reason", store_member("reason", filter)},
      {"status", "CODE", "only those with this HTTP status", store_member("status", filter)},
      {"older-than", "DURATION", "only those whose last attempt was at least this long ago",
       store_member("older_than", filter)},
      {"newer-than", "DURATION", "only those whose last attempt was within this time",
       store_member("newer_than", filter)},
      {"limit", "N", "only the newest N of them", store_limit(options)},
  };
  for (ArgumentRow& row : more) rows.push_back(std::move(row));
  return with_dead_rows(options.source, std::move(rows));
}

/// The exit status of a command that cannot go on.
int fail(const ArgumentTable& table, const Error& error) {
  print_error(table, error.message);
  return exit_failed;
}

std::string letters_text(const std::vector<DeadHead>& letters) {
  TextTable text(
      {"id", "event", "destination", "topic", "reason", "status", "attempts", "last attempt"});
  for (const DeadHead& letter : letters) {
    text.add({std::to_string(letter.id), letter.event, letter.destination, letter.topic,
              letter.reason, letter.status == 0 ? "-" : std::to_string(letter.status),
              std::to_string(letter.attempts), short_time(letter.last_ns)});
  }
  return text.text();
}

void write_head(const DeadHead& letter, JsonWriter& out) {
  TimeText time;
  const auto text = [&](std::string_view name, std::string_view value) {
    out.name(name, false);
    out.string(value);
  };
  const auto number = [&](std::string_view name, std::int64_t value) {
    out.name(name, name == "id");
    out.signed_integer(value);
  };
  number("id", letter.id);
  text("event_id", letter.event);
  text("destination", letter.destination);
  text("topic", letter.topic);
  text("reason", letter.reason);
  number("status", letter.status);
  number("attempts", letter.attempts);
  text("first", time.format_ns(letter.first_ns));
  text("last", time.format_ns(letter.last_ns));
  number("bytes", static_cast<std::int64_t>(letter.bytes));
}

/// A line for each.
std::string letters_json(const std::vector<DeadHead>& letters) {
  std::string text;
  JsonWriter out;
  for (const DeadHead& letter : letters) {
    out.clear();
    out.put('{');
    write_head(letter, out);
    out.raw("}");
    text += printable_json(out.text()) + "\n";
  }
  return text;
}

// list, show --------------------------------------------------------------------------------------

int list_command(const std::vector<std::string>& arguments) {
  DeadOptions options;
  bool is_json = false;
  const ArgumentTable table{
      .usage = "outrider dead list [--config FILE | --spool PATH] [OPTIONS]",
      .rows = filter_rows(
          options, {{"json", "", "lines of JSON instead of a table", store_switch(is_json)}}),
      .notes = "The newest is last.\n",
  };
  std::unique_ptr<DeadSource> source;
  if (const auto status = open_dead_source(table, arguments, options.source, source)) {
    return *status;
  }
  const auto letters = source->find(options.filter);
  if (!letters.ok()) return fail(table, letters.error());
  const std::string text = is_json ? letters_json(letters.value()) : letters_text(letters.value());
  std::fputs(text.c_str(), stdout);
  return exit_done;
}

std::string letter_text(const ShownLetter& letter) {
  const DeadHead& head = letter.head;
  TimeText time;
  std::string text = "id:            " + std::to_string(head.id) + "\n";
  const auto line = [&text](std::string name, std::string_view value) {
    name += ':';
    name.resize(15, ' ');
    text += name + printable(value, SIZE_MAX) + "\n";
  };
  line("event", head.event);
  line("destination", head.destination);
  line("topic", head.topic);
  line("reason", head.reason);
  line("status", head.status == 0 ? "no answer" : std::to_string(head.status));
  line("attempts", std::to_string(head.attempts));
  line("first attempt", time.format_ns(head.first_ns));
  line("last attempt", time.format_ns(head.last_ns));
  line("answer", letter.answer);
  return text + (letter.event.empty() ? "the event itself is damaged" : letter.event) + "\n";
}

int show_command(const std::vector<std::string>& arguments) {
  DeadOptions options;
  const ArgumentTable table{
      .usage = "outrider dead show ID [--config FILE | --spool PATH]",
      .rows = with_dead_rows(options.source, {}),
      .positionals_max = 1,
      .take_positional = store_id(options.filter.ids),
      .notes = "Prints everything that is known about it, then the event as a line of JSON.\n",
  };
  std::unique_ptr<DeadSource> source;
  if (const auto status = open_dead_source(table, arguments, options.source, source)) {
    return *status;
  }
  if (options.filter.ids.empty()) {
    print_error(table, "give the ID that `outrider dead list` shows");
    return exit_usage;
  }
  const auto letter = source->read(options.filter.ids.front());
  if (!letter.ok()) return fail(table, letter.error());
  if (!letter.value()) {
    return fail(table, {"there is no dead letter " + std::to_string(options.filter.ids.front())});
  }
  std::fputs(letter_text(*letter.value()).c_str(), stdout);
  if (!letter.value()->note.empty()) print_error(table, letter.value()->note);
  return letter.value()->event.empty() ? exit_failed : exit_done;
}

// retry, drop -------------------------------------------------------------------------------------

struct Change {
  DeadAction action;
  bool needs_sender;  ///< a sidecar must be configured to send the changed dead letters
  const char* done;   ///< "dropped"
  const char* notes;
};

constexpr Change retry_change = {
    DeadAction::retry, true, "put back",
    "They are queued after the other events of their destination, with their old ids\n"
    "and no attempts counted. A running sidecar sends them now, otherwise the next one\n"
    "sends them when it starts.\n"};

constexpr Change drop_change = {
    DeadAction::drop, false, "dropped",
    "They are removed permanently; save them before with `outrider spool export --state dead`.\n"};

/// Those that are wanted; an id that is not among them is an error.
Result<std::vector<DeadHead>> select(DeadSource& source, const DeadFilter& filter) {
  auto letters = source.find(filter);
  if (!letters.ok()) return letters;
  for (const std::int64_t id : filter.ids) {
    if (std::ranges::find(letters.value(), id, &DeadHead::id) != letters.value().end()) continue;
    return Error{"there is no dead letter " + std::to_string(id) +
                 ", or the options exclude it; nothing was changed"};
  }
  return letters;
}

void warn_of_unconfigured(const ArgumentTable& table, const SpoolChoice& spool,
                          const std::vector<DeadHead>& letters) {
  std::set<std::string> names;
  for (const DeadHead& letter : letters) {
    if (!is_configured(spool, letter.destination).value_or(true)) names.insert(letter.destination);
  }
  for (const std::string& name : names) {
    print_error(table, "warning: " + name + " is not configured in " + spool.config_file +
                           "; its events stay in the spool until it is");
  }
}

int change_command(const Change& change, const std::vector<std::string>& arguments) {
  const std::string name(name_of(change.action));
  DeadOptions options;
  bool is_dry = false;
  const ArgumentTable table{
      .usage = std::string("outrider dead ") + name +
               " [ID ...] [--config FILE | --spool PATH] [OPTIONS]",
      .rows = filter_rows(
          options, {{"all", "", "all of them; required if there are no IDs and no other options",
                     store_switch(options.wants_all)},
                    {"dry-run", "", "show which ones, and change nothing", store_switch(is_dry)}}),
      .positionals_max = SIZE_MAX,
      .take_positional = store_id(options.filter.ids),
      .notes = change.notes,
  };
  std::unique_ptr<DeadSource> source;
  if (const auto status = open_dead_source(table, arguments, options.source, source)) {
    return *status;
  }
  if (!options.selects()) {
    print_error(table, "select dead letters: give IDs, options like --destination, or --all");
    return exit_usage;
  }
  const auto selected = select(*source, options.filter);
  if (!selected.ok()) return fail(table, selected.error());
  const std::vector<DeadHead>& letters = selected.value();
  if (change.needs_sender) warn_of_unconfigured(table, options.source.spool, letters);
  if (is_dry) {
    std::printf("%swould %s %s\n", letters_text(letters).c_str(), name.c_str(),
                counted(letters.size(), "dead letter").c_str());
    return exit_done;
  }
  DeadChange changed;
  if (!letters.empty()) changed = source->change(change.action, options.filter, letters);
  std::printf("%s %s\n", change.done, counted(changed.changed, "dead letter").c_str());
  if (!changed.note.empty()) print_error(table, changed.note);
  return changed.status.ok() ? exit_done : fail(table, changed.status.error());
}

}  // namespace

int dead_command(const std::vector<std::string>& arguments) {
  static const std::vector<CommandRow> rows = {
      {"list", "prints a table of them, newest last", list_command},
      {"show", "prints everything about one, and the event", show_command},
      {"retry", "sends them again, with the same ids",
       [](const std::vector<std::string>& words) { return change_command(retry_change, words); }},
      {"drop", "removes them permanently",
       [](const std::vector<std::string>& words) { return change_command(drop_change, words); }},
      {"jobs", "prints the retries and drops of the running sidecar", dead_jobs_command},
      {"cancel", "ends one of them", dead_cancel_command},
  };
  return run_subcommand("dead", rows, arguments);
}

}  // namespace outrider::sidecar
