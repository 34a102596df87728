#include "sidecar/cli/dead_command.hpp"

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <set>
#include <thread>

#include "sidecar/base/ledger.hpp"
#include "sidecar/base/text.hpp"
#include "sidecar/base/time_text.hpp"
#include "sidecar/base/units.hpp"
#include "sidecar/cli/event_json.hpp"
#include "sidecar/cli/spool_arguments.hpp"
#include "sidecar/cli/subcommands.hpp"
#include "sidecar/cli/text_table.hpp"
#include "sidecar/encode/json_writer.hpp"

namespace outrider::sidecar {
namespace {

/// Dead letters changed in one transaction, for which a running sidecar waits.
constexpr std::size_t letters_at_once = 256;
/// Its turn between two of ours.
constexpr auto pause_between = std::chrono::milliseconds(10);

// Which dead letters ------------------------------------------------------------------------------

struct DeadOptions {
  SpoolChoice spool;
  DeadFilter filter;
  bool is_limited = false;
  bool wants_all = false;

  bool selects() const {
    return !filter.ids.empty() || !filter.destination.empty() || !filter.topic.empty() ||
           !filter.reason.empty() || filter.status || filter.before_ns || filter.after_ns ||
           is_limited || wants_all;
  }
};

Status take_id(const std::string& value, std::vector<std::int64_t>& to) {
  const auto id = parse_count(value);
  if (!id.ok() || id.value() > INT64_MAX) {
    return Error{"\"" + printable(value, 64) +
                 "\" is not the id of a dead letter; `outrider dead list` shows the ids"};
  }
  to.push_back(static_cast<std::int64_t>(id.value()));
  return Nothing{};
}

TakeValue store_reason(std::string& to) {
  return [&to](const std::string& value) -> Status {
    std::string names;
    for (const DeadReasonRow& row : dead_reasons) {
      if (row.name == value) {
        to = value;
        return Nothing{};
      }
      names += (names.empty() ? "" : ", ") + std::string(row.name);
    }
    return Error{"\"" + printable(value, 64) + "\" is none of " + names};
  };
}

TakeValue store_http_status(std::optional<int>& to) {
  return [&to](const std::string& value) -> Status {
    const auto status = parse_count(value);
    if (!status.ok() || status.value() > 999) {
      return Error{"\"" + printable(value, 64) + "\" is not an HTTP status"};
    }
    to = static_cast<int>(status.value());
    return Nothing{};
  };
}

/// A duration before now, as a time.
TakeValue store_ago(std::optional<std::uint64_t>& to) {
  return [&to](const std::string& value) -> Status {
    const auto age = parse_duration(value);
    if (!age.ok()) return age.error();
    const std::uint64_t now_ns = SystemClock().now().wall_ns();
    const auto age_ns = static_cast<std::uint64_t>(age.value().count());
    to = now_ns - std::min(age_ns, now_ns);
    return Nothing{};
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
      {"destination", "NAME", "only those of this destination", store_text(filter.destination)},
      {"topic", "PATTERN", "only topics like orders.* or exceptions.>",
       store_topic_pattern(filter.topic)},
      {"reason", "REASON", "only those with this reason", store_reason(filter.reason)},
      {"status", "CODE", "only those with this HTTP status", store_http_status(filter.status)},
      {"older-than", "DURATION", "only those whose last attempt was at least this long ago",
       store_ago(filter.before_ns)},
      {"newer-than", "DURATION", "only those whose last attempt was within this time",
       store_ago(filter.after_ns)},
      {"limit", "N", "only the newest N of them", store_limit(options)},
  };
  for (ArgumentRow& row : more) rows.push_back(std::move(row));
  return with_spool_rows(options.spool, std::move(rows));
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

// list, show --------------------------------------------------------------------------------------

int list_command(const std::vector<std::string>& arguments) {
  DeadOptions options;
  bool is_json = false;
  const ArgumentTable table{
      .usage = "outrider dead list --config FILE | --spool PATH [OPTIONS]",
      .rows = filter_rows(
          options, {{"json", "", "lines of JSON instead of a table", store_switch(is_json)}}),
      .notes = "The newest is last.\n",
  };
  if (const auto status = read_spool_arguments(table, arguments, options.spool)) return *status;
  return with_spool(table, options.spool, [&](Database& database, std::string& text) {
    if (Status known = check_destination(database, options.filter.destination); !known.ok()) {
      print_error(table, known.error().message);
      return exit_failed;
    }
    const std::vector<DeadHead> letters = find_dead(database, options.filter);
    if (!is_json) {
      text = letters_text(letters);
      return exit_done;
    }
    JsonWriter out;
    for (const DeadHead& letter : letters) {
      out.clear();
      out.put('{');
      write_head(letter, out);
      out.raw("}");
      text += printable_json(out.text()) + "\n";
    }
    return exit_done;
  });
}

std::string letter_text(const DeadWhole& letter) {
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
  if (letter.record.empty()) return text + "the event itself is damaged\n";
  EventJson json;
  return text + printable_json(json.object(read_record(letter.record.data()))) + "\n";
}

int show_command(const std::vector<std::string>& arguments) {
  DeadOptions options;
  const ArgumentTable table{
      .usage = "outrider dead show ID --config FILE | --spool PATH",
      .rows = with_spool_rows(options.spool, {}),
      .positionals_max = 1,
      .take_positional = [&](const std::string& word) { return take_id(word, options.filter.ids); },
      .notes = "Prints everything that is known about it, then the event as a line of JSON.\n",
  };
  if (const auto status = read_spool_arguments(table, arguments, options.spool)) return *status;
  if (options.filter.ids.empty()) {
    print_error(table, "give the ID that `outrider dead list` shows");
    return exit_usage;
  }
  return with_spool(table, options.spool, [&](Database& database, std::string& out) {
    const auto letter = read_dead(database, options.filter.ids.front());
    if (!letter) {
      print_error(table, "there is no dead letter " + std::to_string(options.filter.ids.front()));
      return exit_failed;
    }
    out = letter_text(*letter);
    return letter->record.empty() ? exit_failed : exit_done;
  });
}

// retry, drop -------------------------------------------------------------------------------------

struct Change {
  const char* name;
  bool needs_sender;  ///< a sidecar must be configured to send the changed dead letters
  const char* done;   ///< "dropped"
  const char* notes;
  bool (*apply)(Store& store, std::int64_t id, const Now& now);
};

constexpr Change retry_change = {
    "retry", true, "put back",
    "They are queued after the other events of their destination, with their old ids\n"
    "and no attempts counted. A running sidecar sends them now, otherwise the next one\n"
    "sends them when it starts.\n",
    [](Store& store, std::int64_t id, const Now& now) { return store.put_back_dead(id, now); }};

constexpr Change drop_change = {
    "drop", false, "dropped",
    "They are removed permanently; save them before with `outrider spool export --state dead`.\n",
    [](Store& store, std::int64_t id, const Now&) { return store.remove_dead(id); }};

/// `done` counts the committed ones.
Status apply(const Change& change, const std::string& path, const std::vector<DeadHead>& letters,
             std::uint64_t& done) {
  if (Status shared = wait_for_shared_memory(path); !shared.ok()) return shared;
  auto store = open_to_write(path);
  if (!store.ok()) return store.error();
  const SystemClock clock;
  Status status = guarded(path, [&] {
    for (std::size_t i = 0; i < letters.size();) {
      if (i > 0) std::this_thread::sleep_for(pause_between);
      const std::size_t end = std::min(i + letters_at_once, letters.size());
      std::uint64_t changed = 0;
      store.value()->begin(true);
      for (; i < end; ++i) {
        changed += change.apply(*store.value(), letters[i].id, clock.now()) ? 1 : 0;
      }
      store.value()->commit();
      done += changed;
    }
  });
  if (!status.ok()) store.value()->roll_back();
  touch_spool(path);
  return status;
}

/// Those that are wanted; an id that is not among them is an error.
int select(const ArgumentTable& table, const DeadOptions& options, std::vector<DeadHead>& letters) {
  return with_spool(table, options.spool, [&](Database& database, std::string&) {
    Status status = check_destination(database, options.filter.destination);
    letters = find_dead(database, options.filter);
    for (const std::int64_t id : options.filter.ids) {
      if (std::ranges::find(letters, id, &DeadHead::id) != letters.end()) continue;
      status = Error{"there is no dead letter " + std::to_string(id) +
                     ", or the options exclude it; nothing was changed"};
    }
    if (status.ok()) return exit_done;
    print_error(table, status.error().message);
    return exit_failed;
  });
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
  DeadOptions options;
  bool is_dry = false;
  const ArgumentTable table{
      .usage = std::string("outrider dead ") + change.name +
               " [ID ...] --config FILE | --spool PATH [OPTIONS]",
      .rows = filter_rows(
          options, {{"all", "", "all of them; required if there are no IDs and no other options",
                     store_switch(options.wants_all)},
                    {"dry-run", "", "show which ones, and change nothing", store_switch(is_dry)}}),
      .positionals_max = SIZE_MAX,
      .take_positional = [&](const std::string& word) { return take_id(word, options.filter.ids); },
      .notes = change.notes,
  };
  if (const auto status = read_spool_arguments(table, arguments, options.spool)) return *status;
  if (!options.selects()) {
    print_error(table, "select dead letters: give IDs, options like --destination, or --all");
    return exit_usage;
  }
  std::vector<DeadHead> letters;
  if (const int status = select(table, options, letters); status != exit_done) return status;
  if (change.needs_sender) warn_of_unconfigured(table, options.spool, letters);
  if (is_dry) {
    std::printf("%swould %s %s\n", letters_text(letters).c_str(), change.name,
                counted(letters.size(), "dead letter").c_str());
    return exit_done;
  }
  std::uint64_t done = 0;
  const Status applied =
      letters.empty() ? Status(Nothing{}) : apply(change, options.spool.path, letters, done);
  std::printf("%s %s\n", change.done, counted(done, "dead letter").c_str());
  if (applied.ok()) return exit_done;
  print_error(table, applied.error().message);
  return exit_failed;
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
  };
  return run_subcommand("dead", rows, arguments);
}

}  // namespace outrider::sidecar
