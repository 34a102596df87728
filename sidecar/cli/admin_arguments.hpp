// `--admin ADDRESS`, `--config FILE` and so on: which running sidecar a command talks to, and the
// way of every such command: read the arguments, find the sidecar, ask it, say what went wrong.
//
// Used by stats, health, changes, pause, resume, drain, log-level and support. Thread: the main
// thread. Fails with: an exit status after one clear line.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "sidecar/arguments/arguments.hpp"
#include "sidecar/base/json_document.hpp"
#include "sidecar/cli/admin_client.hpp"

namespace outrider::sidecar {

/// Where a sidecar is that was installed as docs/operations.md says.
inline constexpr const char* admin_address_default = "unix:///run/outrider/admin.sock";

struct AdminChoice {
  std::string address;       ///< empty: that of the configuration, or the default
  std::string config_file;   ///< empty: none
  std::string token_source;  ///< empty: that of the configuration, or none
  std::string cert_file;     ///< the same
};

/// `rows`, behind those that choose the sidecar.
std::vector<ArgumentRow> with_admin_rows(AdminChoice& choice, std::vector<ArgumentRow> rows = {});

Result<AdminTarget> find_admin(const AdminChoice& choice);

/// The status of a command that talks to the chosen sidecar, and of what `use` could not do.
int with_admin(const ArgumentTable& table, const AdminChoice& choice, Duration timeout,
               const std::function<Result<int>(AdminClient&)>& use);

/// The sidecar's own words in an answer that is not good; empty if it gave none.
std::string words_in(const std::string& body);
/// The body of a good answer; the sidecar's own words are the Error of another.
Result<std::string> good_body(Result<AdminReply> reply);
Status read_answer(const std::string& body, rapidjson::Document& document);

/// Posts a change and says `done` on standard output, once the sidecar has carried it out.
int post_change(const ArgumentTable& table, const AdminChoice& choice, const std::string& path,
                const std::string& json, const std::string& done);

/// A word that is not an option, once.
TakeValue take_word(std::string& to);

}  // namespace outrider::sidecar
