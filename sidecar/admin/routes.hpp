// Routes: the paths of the admin interface, one row each, and who may use them.
//
// Used by AdminServer. Reads snapshots and the change log, and posts to the control queue; it never
// touches what belongs to the loop, and waits for it only as long as SnapshotReader::patience. The
// same holds for the thread of DeadJobs, which has the dead letters.
// Each request that changes something is logged: action, target, who, and what became of it.
// Thread: the HTTP server's. Borrows: what it is given. Fails with: an answer, {"error": "..."}.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "sidecar/admin/access.hpp"
#include "sidecar/admin/http_message.hpp"
#include "sidecar/admin/snapshot_reader.hpp"
#include "sidecar/base/log.hpp"
#include "sidecar/observe/change_log.hpp"
#include "sidecar/observe/control.hpp"
#include "sidecar/observe/reload_board.hpp"

namespace outrider::sidecar {

class DeadJobs;
enum class DeadAction : std::uint8_t;

/// The sources of all answers, and the targets of all changes.
struct AdminWorld {
  SnapshotBoard& board;
  ControlQueue& control;
  ReloadBoard& reloads;
  const ChangeLog& changes;
  Log& log;
  const Clock& clock;
  DeadJobs* dead = nullptr;  ///< null: there is no spool
};

class Routes final : public HttpHandler {
 public:
  /// How long a destination may be paused for.
  static constexpr Duration pause_max = std::chrono::hours(366 * 24);

  Routes(AdminWorld world, AccessRules rules)
      : world_(world), rules_(std::move(rules)), reader_(world.board, world.clock) {}

  /// All of them, as "GET, HEAD /v1/stats".
  static std::vector<std::string> list();

  std::optional<HttpAnswer> refuse(const HttpRequest& head) override;
  HttpAnswer answer(const HttpRequest& request) override;

 private:
  struct Row;
  struct Match;
  static const std::vector<Row>& rows();
  static Match match(const HttpRequest& request);

  HttpAnswer health(const HttpRequest& request, std::string_view name);
  HttpAnswer readiness(const HttpRequest& request, std::string_view name);
  HttpAnswer metrics(const HttpRequest& request, std::string_view name);
  HttpAnswer changes(const HttpRequest& request, std::string_view name);
  HttpAnswer destination(const HttpRequest& request, std::string_view name);
  template <auto write>
  HttpAnswer part(const HttpRequest& request, std::string_view name);

  HttpAnswer pause(const HttpRequest& request, std::string_view name);
  HttpAnswer resume(const HttpRequest& request, std::string_view name);
  HttpAnswer drain(const HttpRequest& request, std::string_view name);
  HttpAnswer log_level(const HttpRequest& request, std::string_view name);
  HttpAnswer reload(const HttpRequest& request, std::string_view name);
  HttpAnswer reload_outcome(const HttpRequest& request, std::string_view name);
  // In dead_routes.cpp.
  HttpAnswer dead_list(const HttpRequest& request, std::string_view name);
  HttpAnswer dead_letter(const HttpRequest& request, std::string_view name);
  template <DeadAction action>
  HttpAnswer dead_change(const HttpRequest& request, std::string_view name);
  HttpAnswer dead_jobs(const HttpRequest& request, std::string_view name);
  HttpAnswer dead_job(const HttpRequest& request, std::string_view name);
  HttpAnswer dead_cancel(const HttpRequest& request, std::string_view name);

  HttpAnswer carry_out(ControlRequest control, const std::string& who, std::string_view action,
                       std::string_view target);
  /// 404, or nothing if there is such a destination or nobody knows.
  std::optional<HttpAnswer> refuse_unknown(std::string_view name);

  AdminWorld world_;
  AccessRules rules_;
  SnapshotReader reader_;
  /// The text of the last snapshot, for those who ask together.
  std::uint64_t metrics_number_ = 0;
  std::shared_ptr<const std::string> metrics_text_;
};

}  // namespace outrider::sidecar
