// The paths below /v1/dead. Their work is that of DeadJobs; a request waits for it only as long as
// others wait for the loop.
#include "sidecar/admin/control_body.hpp"
#include "sidecar/admin/dead_json.hpp"
#include "sidecar/admin/dead_request.hpp"
#include "sidecar/admin/routes.hpp"
#include "sidecar/base/units.hpp"
#include "sidecar/inspect/dead_jobs.hpp"

namespace outrider::sidecar {
namespace {

HttpAnswer no_spool() {
  return error_answer(404, "this sidecar keeps no dead letters: set [spool] path");
}

HttpAnswer job_answer(const DeadJob& job) {
  unsigned status = 202;
  if (job.has_ended()) {
    status = job.state == DeadJobState::refused  ? 409
             : job.state == DeadJobState::failed ? 503
                                                 : 200;
  }
  return json_answer(dead_job_json(job), status);
}

/// Of the thread that reads. Nothing: `answer` is an error.
template <typename Answer>
std::optional<Answer> wait_for(Result<std::future<Answer>> future, HttpAnswer& answer) {
  if (!future.ok()) {
    answer = error_answer(503, future.error().message);
    return std::nullopt;
  }
  if (future.value().wait_for(SnapshotReader::patience) != std::future_status::ready) {
    answer = error_answer(503, "the spool's disk is slow; try again");
    return std::nullopt;
  }
  Answer read = future.value().get();
  if (read.ok()) return read;
  answer = error_answer(503, read.error().message);
  return std::nullopt;
}

}  // namespace

HttpAnswer Routes::dead_list(const HttpRequest& request, std::string_view) {
  if (world_.dead == nullptr) return no_spool();
  auto asked = read_dead_arguments(request.arguments, world_.clock.now().wall_ns());
  if (!asked.ok()) return error_answer(400, asked.error().message);
  DeadListRequest& list = asked.value();
  HttpAnswer answer;
  const auto read =
      wait_for(world_.dead->list(std::move(list.filter), list.limit, list.counts), answer);
  if (!read) return answer;
  const DeadList& found = read->value();
  if (found.unknown) return error_answer(404, found.unknown->message);
  return json_answer(dead_list_json(found));
}

HttpAnswer Routes::dead_letter(const HttpRequest&, std::string_view name) {
  if (world_.dead == nullptr) return no_spool();
  const auto id = parse_dead_id(name);
  if (!id.ok()) return error_answer(400, id.error().message);
  HttpAnswer answer;
  const auto read = wait_for(world_.dead->read(id.value()), answer);
  if (!read) return answer;
  const std::optional<DeadWhole>& letter = read->value();
  if (!letter) {
    return error_answer(
        404, "there is no dead letter " + std::to_string(id.value()) + "; GET /v1/dead lists them");
  }
  return json_answer(dead_letter_json(*letter, rules_.payloads));
}

template <DeadAction action>
HttpAnswer Routes::dead_change(const HttpRequest& request, std::string_view) {
  if (world_.dead == nullptr) return no_spool();
  auto asked = read_dead_body(request.body, world_.clock.now().wall_ns());
  if (!asked.ok()) return error_answer(400, asked.error().message);
  asked.value().action = action;
  asked.value().who = request.peer;
  const auto id = world_.dead->ask(std::move(asked.value()));
  if (!id.ok()) return error_answer(world_.dead->is_full() ? 429 : 422, id.error().message);
  return job_answer(world_.dead->wait_for(id.value(), SnapshotReader::patience).value());
}
template HttpAnswer Routes::dead_change<DeadAction::retry>(const HttpRequest&, std::string_view);
template HttpAnswer Routes::dead_change<DeadAction::drop>(const HttpRequest&, std::string_view);

HttpAnswer Routes::dead_jobs(const HttpRequest&, std::string_view) {
  if (world_.dead == nullptr) return no_spool();
  return json_answer(dead_jobs_json(world_.dead->jobs()));
}

HttpAnswer Routes::dead_job(const HttpRequest&, std::string_view name) {
  if (world_.dead == nullptr) return no_spool();
  const auto id = parse_count(name);
  const auto job = id.ok() ? world_.dead->job(id.value()) : std::nullopt;
  if (!job) return error_answer(404, "there is no such job; GET /v1/dead/jobs lists them");
  return json_answer(dead_job_json(*job));
}

HttpAnswer Routes::dead_cancel(const HttpRequest& request, std::string_view name) {
  if (world_.dead == nullptr) return no_spool();
  const Status empty = read_empty_body(request.body);
  if (!empty.ok()) return error_answer(400, empty.error().message);
  const auto id = parse_count(name);
  const auto job = id.ok() ? world_.dead->job(id.value()) : std::nullopt;
  if (!job) return error_answer(404, "there is no such job; GET /v1/dead/jobs lists them");
  const bool is_done = world_.dead->cancel(job->id);
  world_.log.info("an operator's request", {{"action", "cancel"},
                                            {"target", "job " + std::to_string(job->id)},
                                            {"who", request.peer},
                                            {"result", is_done ? "done" : "it has ended"}});
  if (!is_done) {
    return error_answer(422, "the job has ended: " + std::string(name_of(job->state)));
  }
  return job_answer(world_.dead->wait_for(job->id, SnapshotReader::patience).value());
}

}  // namespace outrider::sidecar
