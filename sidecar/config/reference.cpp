#include "sidecar/config/reference.hpp"

#include <algorithm>
#include <string_view>
#include <utility>
#include <vector>

#include "sidecar/config/messages.hpp"
#include "sidecar/config/options.hpp"

namespace outrider::sidecar {
namespace {

constexpr std::string_view page_head = R"(# Configuration

<!-- Generated from the option table in sidecar/config/options.cpp by `./dev docs`; do not edit. -->

The sidecar reads one file, given as `--config FILE`. This page describes its syntax, then every key,
section by section. `outrider check --config FILE` shows every setting that is given, the line that
it comes from, and what follows from the settings; `--all` adds the defaults. Every error is reported
with its line.

* A section is `[ingest]`, `[destination.NAME]`, `[spool]`, `[schedule.NAME]`, `[admin]`,
  `[shutdown]` or `[log]`; a setting is `key = value`. Blanks around keys and values are ignored.
* A comment is a line that begins with `#` or `;`. Anywhere else, these two characters, `=`, quotes
  and all others are part of the value. Values are not expanded: no environment variables, no escapes.
* A duration is a whole number with `ms`, `s`, `m` or `h`: `250ms`, `24h`. A size is a whole number of
  bytes, or a whole number with `KiB`, `MiB` or `GiB`.
* A repeatable key takes one value per line. Any other key may occur only once in its section.
* Relative paths start at the directory in which the sidecar was started.
* Every setting can also be given on the command line, which takes precedence over the file:
  `--shutdown.linger=5s`, `--destination.audit.url https://collector.example/events`. A repeatable
  key on the command line replaces all its values in the file. A new destination needs
  `--destination.NAME.type`, and a new schedule needs `--schedule.NAME.cron`.
* An unknown section, key or word is an error, and so is a file that cannot be read. The sidecar does
  not call URLs at startup: if one cannot be reached at run time, the sidecar retries and logs it.
* The column "reload" says when a changed value applies after a reload (`outrider reload`, SIGHUP): at
  once (live), to bodies and requests that are made from then on (new requests), or not at all
  (restart). A reload with a changed value of the last kind is refused as a whole. For type zmq, `url`
  and `timeout` require a restart too. Settings of the command line stay as they were given.
* The limits are 1024 destinations, 1024 schedules and 4 MiB of text.
)";

constexpr std::string_view example_head =
    R"(# Outrider's configuration. A line that begins with # is a comment; `#key = value` shows a default.
# `outrider check --config FILE` shows what a configuration means; see also docs/configuration.md.
# Generated from the option table by `./dev docs`.
)";

/// The settings of configuration_example(), as section, key and value.
struct Setting {
  std::string_view section;
  std::string_view key;
  std::string_view value;
};
constexpr std::string_view example_name = "collector";
/// No setting of these sections is active: they are comments.
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
  return row + std::string(name_of(option.reload)) + " | " + std::string(option.summary()) + " |\n";
}

/// The first row of its section or group.
bool begins_group(const Option& option) {
  const auto first = std::find_if(options().begin(), options().end(), [&](const Option& row) {
    return row.section == option.section && row.group == option.group;
  });
  return &*first == &option;
}

std::string section_page(const Section& section) {
  std::string page = "\n## [" + std::string(section.title) + "]\n\n" + wrapped("", section.doc, "");
  std::string notes;
  for (const Option& option : options()) {
    if (option.section != section.name) continue;
    if (begins_group(option)) {
      page += std::exchange(notes, "");
      if (!option.group.empty()) {
        page +=
            "\n### " + std::string(option.group) + "\n\n" + std::string(option.group_doc) + "\n";
      }
      page +=
          section.name == "destination"
              ? "\n| key | value | default | type | reload | meaning |\n"
                "| --- | --- | --- | --- | --- | --- |\n"
              : "\n| key | value | default | reload | meaning |\n| --- | --- | --- | --- | --- |\n";
    }
    page += table_row(option);
    if (option.details().empty()) continue;
    if (notes.empty()) notes = "\n";
    notes += wrapped("* `" + std::string(option.key) + "`: ", option.details(), "  ");
  }
  return page + notes;
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
  return wrapped("# ", text, "# ");
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
    text += "\n" + wrapped("# ", section.doc, "# ") + (is_comment ? "#[" : "[") +
            replaced(std::string(section.title), "NAME",
                     is_comment ? example_comment_name : example_name) +
            "]\n";
    for (const Option& option : options()) {
      if (option.section != section.name) continue;
      if (begins_group(option) && !option.group.empty()) {
        text += "\n# --- " + std::string(option.group) + " ---\n";
      }
      text += example_comment(option) + example_line(option);
    }
  }
  return text;
}

std::string configuration_help() {
  std::string text;
  for (const Section& section : sections()) {
    for (const Option& option : options()) {
      if (option.section != section.name) continue;
      if (begins_group(option) && !option.group.empty()) {
        text += "\n  " + std::string(option.group) + ":\n";
      }
      const std::string value = default_of(option);
      text += "  --" + std::string(section.title) + "." + std::string(option.key) + " <" +
              option.value.kind + ">" + (value.empty() ? "" : " (" + value + ")") + "\n" +
              wrapped("      ", option.doc, "      ");
    }
  }
  return text;
}

}  // namespace outrider::sidecar
