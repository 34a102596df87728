#include "sidecar/config/reference.hpp"

#include <string_view>
#include <utility>
#include <vector>

#include "sidecar/config/options.hpp"

namespace outrider::sidecar {
namespace {

constexpr std::string_view page_head = R"(# Configuration

<!-- Made from the option table in sidecar/config/options.cpp by `./dev docs`; do not edit. -->

One file, given as `--config FILE`. `outrider check --config FILE` explains every effective setting
and where it comes from, and names every error with its line.

* A section is `[ingest]`, `[destination.NAME]`, `[spool]`, `[schedule.NAME]`, `[shutdown]` or
  `[log]`; a setting is `key = value`. Blanks around keys and values are cut off.
* A comment has a line of its own that begins with `#` or `;`. Anywhere else these two, `=`, quotes
  and any other character are part of the value. Nothing in a value is expanded: no environment
  variables, no escapes.
* Durations are a whole number with `ms`, `s`, `m` or `h`: `250ms`, `24h`. Sizes are a whole number
  of bytes, or one with `KiB`, `MiB` or `GiB`.
* A repeatable key takes one value a line. Any other key may stand only once in its section.
* Relative paths count from the directory that the sidecar was started in.
* The command line takes the same names, and goes before the file:
  `--shutdown.linger=5s`, `--destination.audit.url https://collector.example/events`. A repeatable
  key given there replaces all its values in the file. A new destination needs its
  `--destination.NAME.type`, a new schedule its `--schedule.NAME.cron`.
* An unknown section, key or word is an error, so is a file that cannot be read. A URL is not
  called: one that cannot be reached is tried again, and logged, at run time.
* At most 1024 destinations, 1024 schedules and 4 MiB of text.
)";

constexpr std::string_view example_head =
    R"(# Outrider's configuration. A line that begins with # is a comment; `#key = value` shows a default.
# `outrider check --config FILE` explains what is in effect; docs/configuration.md says more.
# Made from the option table by `./dev docs`.
)";

/// What configuration_example() sets, as section, key and value.
struct Setting {
  std::string_view section;
  std::string_view key;
  std::string_view value;
};
constexpr std::string_view example_name = "collector";
/// Nothing of these sections is set: there they stand as a comment.
constexpr std::string_view example_comment_section = "schedule";
constexpr std::string_view example_comment_name = "nightly";
const std::vector<Setting>& example_settings() {
  static const std::vector<Setting> settings = {
      {"ingest", "endpoint", "ipc:///run/outrider/outrider.sock"},
      {"destination", "type", "http"},
      {"destination", "topics", ">"},
      {"destination", "url", "https://127.0.0.1:8443/events"},
      {"shutdown", "linger", "10s"},
  };
  return settings;
}

std::string replaced(std::string text, std::string_view from, std::string_view to) {
  for (std::size_t at = text.find(from); at != std::string::npos;
       at = text.find(from, at + to.size())) {
    text.replace(at, from.size(), to);
  }
  return text;
}

/// Empty: there is none.
std::string default_of(const Option& option) {
  const std::vector<std::string> lines = option.value.format({Config{}, {}, {}});
  return lines.empty() ? std::string() : lines.front();
}

std::string code(const std::string& text) {
  return text.empty() ? "not set" : "`" + replaced(text, "|", "\\|") + "`";
}

std::string table_row(const Option& option) {
  std::string value = replaced(option.value.kind, "|", "\\|");
  if (!option.value.range.empty()) value += ", " + option.value.range;
  if (option.value.is_repeatable) value += ", repeatable";
  std::string row =
      "| `" + std::string(option.key) + "` | " + value + " | " + code(default_of(option)) + " | ";
  if (option.section == "destination") row += names_of(option.types) + " | ";
  return row + std::string(option.doc) + " |\n";
}

std::string section_page(const Section& section) {
  std::string page =
      "\n## [" + std::string(section.title) + "]\n\n" + std::string(section.doc) + "\n\n";
  page += section.name == "destination"
              ? "| key | value | default | type | meaning |\n| --- | --- | --- | --- | --- |\n"
              : "| key | value | default | meaning |\n| --- | --- | --- | --- |\n";
  for (const Option& option : options()) {
    if (option.section == section.name) page += table_row(option);
  }
  return page;
}

/// The sentence as comment lines that fit the page.
std::string comment(std::string_view text) {
  constexpr std::size_t line_bytes_max = 98;
  std::string out;
  while (!text.empty()) {
    std::size_t end = text.size();
    if (end > line_bytes_max) end = text.rfind(' ', line_bytes_max);
    out += "# " + std::string(text.substr(0, end)) + "\n";
    text.remove_prefix(end == text.size() ? end : end + 1);
  }
  return out;
}

std::string example_line(const Option& option) {
  for (const Setting& setting : example_settings()) {
    if (setting.section == option.section && setting.key == option.key) {
      return std::string(setting.key) + " = " + std::string(setting.value) + "\n";
    }
  }
  const std::string value = default_of(option);
  return "#" + std::string(option.key) + " = " +
         (value.empty() ? "<" + option.value.kind + ">" : value) + "\n";
}

std::string example_comment(const Option& option) {
  std::string text;
  if (option.types != every_type) text += "(" + names_of(option.types) + ") ";
  text += option.doc;
  if (option.value.kind.find('|') != std::string::npos) text += " " + option.value.kind;
  return comment(text);
}

}  // namespace

std::string configuration_reference() {
  std::string page(page_head);
  for (const Section& section : sections()) page += section_page(section);
  page += "\n## Example\n\n```ini\n";
  std::string_view section;
  for (const Setting& setting : example_settings()) {
    if (setting.section != section) {
      if (!section.empty()) page += "\n";
      section = setting.section;
      page += "[" + std::string(section) +
              (section == "destination" ? "." + std::string(example_name) : "") + "]\n";
    }
    page += std::string(setting.key) + " = " + std::string(setting.value) + "\n";
  }
  return page + "```\n\nThe file `systemd/outrider.conf` shows every setting.\n";
}

std::string configuration_example() {
  std::string text(example_head);
  for (const Section& section : sections()) {
    const bool is_comment = section.name == example_comment_section;
    text += "\n" + comment(section.doc) + (is_comment ? "#[" : "[") +
            replaced(std::string(section.title), "NAME",
                     is_comment ? example_comment_name : example_name) +
            "]\n";
    for (const Option& option : options()) {
      if (option.section == section.name) text += example_comment(option) + example_line(option);
    }
  }
  return text;
}

std::string configuration_help() {
  constexpr std::size_t doc_column = 40;
  std::string text;
  for (const Section& section : sections()) {
    for (const Option& option : options()) {
      if (option.section != section.name) continue;
      std::string line = "  --" + std::string(section.title) + "." + std::string(option.key);
      line += line.size() < doc_column ? std::string(doc_column - line.size(), ' ') : "  ";
      const std::string value = default_of(option);
      text += line + option.value.kind + (value.empty() ? "" : " (" + value + ")") + "\n" +
              std::string(doc_column, ' ') + std::string(option.doc) + "\n";
    }
  }
  return text;
}

}  // namespace outrider::sidecar
