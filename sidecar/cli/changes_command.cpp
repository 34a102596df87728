#include "sidecar/cli/changes_command.hpp"

#include <cstdio>

#include "sidecar/arguments/exit_status.hpp"
#include "sidecar/base/text.hpp"
#include "sidecar/cli/admin_arguments.hpp"
#include "sidecar/cli/json_view.hpp"
#include "sidecar/cli/text_table.hpp"

namespace outrider::sidecar {
namespace {

/// As the log has them: destination=audit detail="503 busy"
std::string fields_of(const JsonView& change) {
  std::string text;
  change["fields"].for_each_member([&](const std::string& name, const JsonView& value) {
    const std::string word = value.text();
    const bool needs_quotes = word.empty() || word.find_first_of(" \"=") != std::string::npos;
    const std::string quote = needs_quotes ? "\"" : "";
    text.append(" ").append(name).append("=").append(quote).append(word).append(quote);
  });
  return text;
}

std::string changes_text(const JsonView& answer) {
  TextTable table({"number", "time", "level", "kind", "change"});
  answer["changes"].for_each([&](const JsonView& change) {
    const auto number = change["number"].count();
    const std::string at = change["at"].text();
    constexpr std::size_t second_bytes = sizeof("2026-01-31T12:00:00") - 1;
    table.add({number ? std::to_string(*number) : "",
               at.size() > second_bytes ? at.substr(0, second_bytes) + "Z" : at,
               change["level"].text(), change["kind"].text(),
               change["message"].text() + fields_of(change)});
  });
  return table.rows() == 0 ? "nothing has changed\n" : table.text();
}

}  // namespace

int changes_command(const std::vector<std::string>& arguments) {
  AdminChoice choice;
  std::uint64_t since = 0;
  bool is_json = false;
  const ArgumentTable table{
      .usage = "outrider changes [--since NUMBER] [--json]",
      .rows = with_admin_rows(
          choice, {{"since", "NUMBER", "from the change of this number on", store_count(since)},
                   {"json", "", "the sidecar's JSON instead of text", store_switch(is_json)}}),
      .notes =
          "The sidecar remembers the last 256 changes since it started. A number that is\n"
          "missing at the beginning was forgotten.\n",
  };
  if (const auto status = read_arguments(table, arguments)) return *status;
  return with_admin(
      table, choice, AdminClient::timeout_default, [&](AdminClient& client) -> Result<int> {
        const auto body = good_body(client.get("/v1/changes?since=" + std::to_string(since)));
        if (!body.ok()) return body.error();
        rapidjson::Document document;
        if (Status read = read_answer(body.value(), document); !read.ok()) return read.error();
        const std::string text =
            is_json ? printable_json(body.value()) : changes_text(JsonView(document));
        std::fputs(text.c_str(), stdout);
        return exit_done;
      });
}

}  // namespace outrider::sidecar
