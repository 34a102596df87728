#include "sidecar/cli/admin_arguments.hpp"

#include <cstdio>
#include <utility>

#include "sidecar/arguments/exit_status.hpp"
#include "sidecar/base/journal.hpp"
#include "sidecar/base/text.hpp"
#include "sidecar/cli/json_view.hpp"
#include "sidecar/config/load.hpp"
#include "sidecar/config/secret.hpp"

namespace outrider::sidecar {
namespace {

constexpr std::size_t words_bytes_max = 500;

/// The values of the configuration, for missing arguments.
Status take_from_config(const AdminChoice& choice, AdminTarget& target, std::string& token_source) {
  const LoadResult result = load_config(choice.config_file);
  for (const Error& error : result.errors) print_errors(error.message + "\n");
  if (!result.ok()) {
    return Error{"to find the sidecar without its configuration, give --admin ADDRESS"};
  }
  const Config& config = result.loaded.config;
  if (choice.address.empty()) {
    target.address = admin_address(config);
    target.endpoint = shared_place_mark(config);
  }
  if (token_source.empty()) token_source = config.admin.token_file;
  if (target.cert_file.empty()) target.cert_file = config.admin.cert_file;
  return Nothing{};
}

}  // namespace

std::vector<ArgumentRow> with_admin_rows(AdminChoice& choice, std::vector<ArgumentRow> rows) {
  std::vector<ArgumentRow> all = {
      {"admin", "ADDRESS",
       "the admin interface of the sidecar, as [admin] listen has it; without it that of --config, "
       "else " +
           std::string(admin_address_default),
       store_text(choice.address)},
      {"config", "FILE", "the sidecar's configuration, which names its admin interface",
       store_text(choice.config_file)},
      {"token-file", "FILE", "the token, as [admin] token_file has it",
       store_text(choice.token_source)},
      {"cert-file", "FILE", "the certificate of the admin interface; with it, TLS is spoken",
       store_text(choice.cert_file)},
  };
  for (ArgumentRow& row : rows) all.push_back(std::move(row));
  return all;
}

Result<AdminTarget> find_admin(const AdminChoice& choice) {
  AdminTarget target;
  target.cert_file = choice.cert_file;
  std::string token_source = choice.token_source;
  const bool has_config = !choice.config_file.empty();
  if (has_config) {
    if (Status taken = take_from_config(choice, target, token_source); !taken.ok()) {
      return taken.error();
    }
  }
  if (!choice.address.empty() || !has_config) {
    const auto given =
        parse_admin_address(choice.address.empty() ? admin_address_default : choice.address);
    if (!given.ok()) return given.error().with_prefix("--admin");
    target.address = given.value();
  }
  if (target.address.kind == AdminAddress::Kind::none) {
    return Error{"there is no admin interface; set [admin] listen in the configuration"};
  }
  if (target.address.kind == AdminAddress::Kind::tcp && target.address.port == 0) {
    return Error{"the port of " + target.address.text() + " is any; name it with --admin"};
  }
  if (token_source.empty()) return target;
  const auto token = read_secret(token_source);
  if (!token.ok()) return token.error();
  target.token = token.value();
  return target;
}

int with_admin(const ArgumentTable& table, const AdminChoice& choice, Duration timeout,
               const std::function<Result<int>(AdminClient&)>& use) {
  const auto target = find_admin(choice);
  if (!target.ok()) {
    print_error(table, target.error().message);
    return exit_usage;
  }
  AdminClient client(target.value(), timeout);
  const Result<int> status = use(client);
  if (status.ok()) return status.value();
  print_error(table, status.error().message);
  return exit_failed;
}

Status read_answer(const std::string& body, rapidjson::Document& document) {
  if (const Status parsed = parse_json(body, document); parsed.ok() && document.IsObject()) {
    return Nothing{};
  }
  return Error{"the answer is not a sidecar's; does something else listen there?"};
}

std::string words_in(const std::string& body) {
  rapidjson::Document document;
  if (!read_answer(body, document).ok()) return {};
  return printable(JsonView(document)["error"].text(), words_bytes_max);
}

Result<std::string> good_body(Result<AdminReply> reply) {
  if (!reply.ok()) return reply.error();
  if (reply.value().is_good()) return std::move(reply.value().body);
  std::string words = words_in(reply.value().body);
  if (words.empty()) words = "the sidecar gave no reason";
  return Error{words + " (status " + std::to_string(reply.value().status) + ")"};
}

int post_change(const ArgumentTable& table, const AdminChoice& choice, const std::string& path,
                const std::string& json, const std::string& done) {
  return with_admin(
      table, choice, AdminClient::timeout_default, [&](AdminClient& client) -> Result<int> {
        Result<AdminReply> reply = client.post(path, json);
        const bool is_pending = reply.ok() && reply.value().status == 202;
        const auto body = good_body(std::move(reply));
        if (!body.ok()) return body.error();
        if (is_pending) {
          return Error{
              "the sidecar has taken the request but has not carried it out yet: its loop is "
              "silent; look at `outrider stats`"};
        }
        std::fputs((printable_lines(done) + "\n").c_str(), stdout);
        return exit_done;
      });
}

TakeValue take_word(std::string& to) {
  return [&to](const std::string& word) -> Status {
    if (word.empty()) return Error{"an argument is empty"};
    to = word;
    return Nothing{};
  };
}

}  // namespace outrider::sidecar
