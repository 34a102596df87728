#include "sidecar/cli/dead_sidecar.hpp"

#include <algorithm>
#include <cstdio>
#include <thread>
#include <utility>

#include <unistd.h>

#include "sidecar/base/text.hpp"
#include "sidecar/cli/dead_source.hpp"
#include "sidecar/cli/json_view.hpp"
#include "sidecar/cli/text_table.hpp"

namespace outrider::sidecar {
namespace {

constexpr std::size_t page_letters = 500;
constexpr std::size_t ids_at_once = 1000;
constexpr long status_busy = 503;
constexpr int tries_max = 30;
constexpr std::chrono::milliseconds look_interval{100};
/// A job that waits for its destination goes on without the command.
constexpr int paced_looks_max = 30;

DeadHead head_of(const JsonView& letter) {
  const auto number = [&](const char* name) { return letter[name].count().value_or(0); };
  return {static_cast<std::int64_t>(number("id")),
          letter["event_id"].text(),
          letter["destination"].text(),
          letter["topic"].text(),
          letter["reason"].text(),
          static_cast<int>(number("status")),
          static_cast<std::uint32_t>(number("attempts")),
          number("first_ns"),
          number("last_ns"),
          number("bytes")};
}

/// The event is the last member of its letter, and no text has an unescaped quote.
std::string event_of(const std::string& body) {
  constexpr std::string_view name = ",\"event\":";
  const std::size_t at = body.find(name);
  const std::size_t end = body.rfind('}');
  if (at == std::string::npos || end == std::string::npos || end < at) return {};
  return body.substr(at + name.size(), end - at - name.size());
}

std::string quoted(const std::string& text) {
  return write_json(rapidjson::Value(rapidjson::StringRef(text.data(), text.size())));
}

std::string body_of(const DeadFilter& filter, const std::vector<DeadHead>& letters,
                    const std::string& key) {
  const bool is_limited = filter.events_max != UINT64_MAX;
  DeadFilter sent = filter;
  if (is_limited) sent.lowest_id = letters.front().id;
  std::string body;
  for (const auto& [name, value] : filter_members(sent)) {
    body += (body.empty() ? "" : ",") + quoted(name) + ":" + quoted(value);
  }
  return "{\"filter\":{" + body + "},\"highest_id\":" + std::to_string(letters.back().id) +
         ",\"expected\":" + std::to_string(letters.size()) + ",\"key\":" + quoted(key) + "}";
}

class DeadSidecar final : public DeadSource {
 public:
  explicit DeadSidecar(std::unique_ptr<AdminClient> client) : client_(std::move(client)) {}

  Result<std::vector<DeadHead>> find(const DeadFilter& filter) override {
    if (!filter.ids.empty()) return find_ids(filter);
    std::string path = "/v1/dead?limit=" + std::to_string(page_letters);
    for (const auto& [name, value] : filter_members(filter)) {
      path += "&" + name + "=" + escape_url_part(value);
    }
    std::vector<DeadHead> letters;
    for (std::optional<std::uint64_t> before;;) {
      const auto reply = patient_get(before ? path + "&before=" + std::to_string(*before) : path);
      if (!reply.ok()) return reply.error();
      rapidjson::Document document;
      if (!reply.value().is_good()) return words_of(reply.value());
      if (Status read = read_answer(reply.value().body, document); !read.ok()) return read.error();
      const JsonView page(document);
      page["letters"].for_each([&](const JsonView& letter) {
        if (letters.size() < filter.events_max) letters.push_back(head_of(letter));
      });
      before = page["next"].count();
      if (!before || letters.size() >= filter.events_max) break;
    }
    std::ranges::reverse(letters);
    return letters;
  }

  Result<std::optional<ShownLetter>> read(std::int64_t id) override {
    const auto reply = patient_get("/v1/dead/" + std::to_string(id));
    if (!reply.ok()) return reply.error();
    if (reply.value().status == 404) return std::optional<ShownLetter>();
    if (!reply.value().is_good()) return words_of(reply.value());
    rapidjson::Document document;
    if (Status read = read_answer(reply.value().body, document); !read.ok()) return read.error();
    const JsonView letter(document);
    ShownLetter shown{head_of(letter), letter["answer"].text(), event_of(reply.value().body)};
    const bool is_damaged = letter["is_damaged"].is_true();
    if (is_damaged) shown.event.clear();
    if (is_damaged || document["event"].IsObject()) return std::optional(std::move(shown));
    shown.event = letter["event"].is_there() ? letter["event"].text() : "[not shown]";
    shown.note =
        "[admin] payloads keeps the event from being shown; set it to full, or give "
        "--spool PATH to read the file";
    return std::optional(std::move(shown));
  }

  DeadChange change(DeadAction action, const DeadFilter& filter,
                    const std::vector<DeadHead>& letters) override {
    DeadChange all;
    const std::string key =
        "cli-" + std::to_string(::getpid()) + "-" + std::to_string(SystemClock().now().wall_ns());
    if (filter.ids.empty()) {
      run_job(action, body_of(filter, letters, key), all);
      return all;
    }
    for (std::size_t i = 0; i < letters.size() && all.status.ok(); i += ids_at_once) {
      std::string ids;
      const std::size_t end = std::min(i + ids_at_once, letters.size());
      for (std::size_t n = i; n < end; ++n) {
        ids += (ids.empty() ? "" : ",") + std::to_string(letters[n].id);
      }
      run_job(action,
              "{\"ids\":[" + ids + "],\"key\":" + quoted(key + "-" + std::to_string(i)) + "}", all);
    }
    return all;
  }

 private:
  /// The disk may be slow for a moment.
  Result<AdminReply> patient_get(const std::string& path) {
    for (int tries = 1;; ++tries) {
      auto reply = client_->get(path);
      if (!reply.ok() || reply.value().status != status_busy || tries == tries_max) return reply;
      std::this_thread::sleep_for(look_interval);
    }
  }

  Result<std::vector<DeadHead>> find_ids(const DeadFilter& filter) {
    std::vector<DeadHead> letters;
    for (const std::int64_t id : filter.ids) {
      auto letter = read(id);
      if (!letter.ok()) return letter.error();
      if (letter.value() && is_wanted(letter.value()->head, filter)) {
        letters.push_back(std::move(letter.value()->head));
      }
    }
    std::ranges::sort(letters, {}, &DeadHead::id);
    const auto is_same = [](const DeadHead& a, const DeadHead& b) { return a.id == b.id; };
    letters.erase(std::unique(letters.begin(), letters.end(), is_same), letters.end());
    return letters;
  }

  /// Adds to `all` what became of it.
  void run_job(DeadAction action, const std::string& body, DeadChange& all) {
    const std::string path = "/v1/dead/" + std::string(name_of(action));
    auto reply = client_->post(path, body);
    // The same key is the same job.
    if (!reply.ok()) reply = client_->post(path, body);
    for (int paced_looks = 0;;) {
      all.status = status_of(reply);
      rapidjson::Document document;
      if (all.status.ok()) all.status = read_answer(reply.value().body, document);
      if (!all.status.ok()) return;
      const JsonView job(document);
      const std::string state = job["state"].text();
      const auto id = job["id"].count();
      const std::uint64_t changed = job["changed"].count().value_or(0);
      const bool is_over = !id || (state != "counting" && state != "running" && state != "paced");
      paced_looks = state == "paced" ? paced_looks + 1 : 0;
      if (is_over || paced_looks > paced_looks_max) {
        all.changed += changed;
        if (!id || job["error"].is_there()) all.status = words_of(reply.value());
        if (state == "cancelled") all.status = Error{"somebody has cancelled the job"};
        if (!is_over) all.note = note_of(*id, changed, job["expected"].count().value_or(0));
        return;
      }
      std::this_thread::sleep_for(look_interval);
      reply = client_->get("/v1/dead/jobs/" + std::to_string(*id));
    }
  }

  static std::string note_of(std::uint64_t id, std::uint64_t changed, std::uint64_t expected) {
    const std::string job = std::to_string(id);
    return "job " + job +
           " goes on in the sidecar, which waits for the destination to take more: " +
           std::to_string(changed) + " of " + std::to_string(expected) +
           " so far; `outrider dead jobs` shows it, `outrider dead cancel " + job + "` ends it";
  }

  const std::unique_ptr<AdminClient> client_;
};

std::string jobs_text(const JsonView& answer) {
  TextTable table({"job", "action", "state", "changed", "expected", "who", "target"});
  const auto number = [](const JsonView& value) {
    return std::to_string(value.count().value_or(0));
  };
  answer["jobs"].for_each([&](const JsonView& job) {
    table.add({number(job["id"]), job["action"].text(), job["state"].text(), number(job["changed"]),
               number(job["expected"]), job["who"].text(), job["target"].text()});
  });
  return table.text();
}

}  // namespace

std::unique_ptr<DeadSource> open_dead_sidecar(std::unique_ptr<AdminClient> client) {
  return std::make_unique<DeadSidecar>(std::move(client));
}

int dead_jobs_command(const std::vector<std::string>& arguments) {
  AdminChoice choice;
  bool is_json = false;
  const ArgumentTable table{
      .usage = "outrider dead jobs [--json]",
      .rows = with_admin_rows(
          choice, {{"json", "", "the sidecar's JSON instead of a table", store_switch(is_json)}}),
      .notes =
          "The retries and drops that the running sidecar does or has done, the newest last.\n",
  };
  if (const auto status = read_arguments(table, arguments)) return *status;
  return with_admin(
      table, choice, AdminClient::timeout_default, [&](AdminClient& client) -> Result<int> {
        const auto body = good_body(client.get("/v1/dead/jobs"));
        if (!body.ok()) return body.error();
        rapidjson::Document document;
        Status read = read_answer(body.value(), document);
        if (!read.ok()) return read.error();
        std::fputs((is_json ? printable_json(body.value()) : jobs_text(JsonView(document))).c_str(),
                   stdout);
        return exit_done;
      });
}

int dead_cancel_command(const std::vector<std::string>& arguments) {
  AdminChoice choice;
  std::string job;
  const ArgumentTable table{
      .usage = "outrider dead cancel JOB",
      .rows = with_admin_rows(choice),
      .positionals_max = 1,
      .take_positional = take_word(job),
      .notes = "Ends a job before its next letters. Those that it has changed stay changed.\n",
  };
  if (const auto status = read_arguments(table, arguments)) return *status;
  if (job.empty()) {
    print_error(table, "give the number of the JOB, which `outrider dead jobs` shows");
    return exit_usage;
  }
  return post_change(table, choice, "/v1/dead/jobs/" + escape_url_part(job) + "/cancel", "{}",
                     "job " + job + " is cancelled");
}

}  // namespace outrider::sidecar
