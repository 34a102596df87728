#include <stdexcept>
#include <thread>

#include <outrider/embedded.hpp>
#include <unistd.h>

#include "sidecar/app/host.hpp"
#include "sidecar/config/load.hpp"
#include "sidecar/net/zmq_context.hpp"

namespace outrider {
namespace {

constexpr const char* inproc_endpoint = "inproc://outrider";
/// The sidecar itself gives up earlier.
constexpr std::chrono::seconds reload_time_max{60};
constexpr const char* inproc_confirm_endpoint = "inproc://outrider-confirm";

sidecar::LoadResult load(const std::string& path) {
  sidecar::LoadResult result = sidecar::load_config(path);
  if (!result.ok()) return result;
  sidecar::Config& config = result.loaded.config;
  // The default endpoint is the system's sidecar, whose place an application does not take.
  if (!result.loaded.origins.contains("ingest.endpoint")) config.ingest.endpoints.clear();
  config.ingest.endpoints.emplace_back(inproc_endpoint);
  if (!result.loaded.origins.contains("ingest.confirm_endpoint")) {
    config.ingest.confirm_endpoint = inproc_confirm_endpoint;
  }
  if (!result.loaded.origins.contains("admin.listen")) config.admin.listen = "none";
  return result;
}

std::string joined(const std::vector<std::string>& lines) {
  std::string text;
  for (const std::string& line : lines) text += line + "\n";
  return text;
}

}  // namespace

struct Embedded::Parts {
  pid_t process = getpid();
  std::string confirm_endpoint;
  std::unique_ptr<sidecar::Log> log;
  sidecar::ZmqContext zmq_context;
  std::unique_ptr<sidecar::Host> host;
  std::thread thread;
};

Embedded::Embedded(const std::string& config_path) : parts_(std::make_unique<Parts>()) {
  const sidecar::LoadResult loaded = load(config_path);
  if (!loaded.ok()) {
    std::string message;
    for (const sidecar::Error& error : loaded.errors) message += error.message + "\n";
    throw std::runtime_error(message);
  }
  const sidecar::Config& config = loaded.loaded.config;
  parts_->confirm_endpoint = config.ingest.confirm_endpoint;
  parts_->log = sidecar::make_stderr_log(config.log_level, config.log_format);
  auto host = sidecar::Host::open(config, *parts_->log, parts_->zmq_context.get(),
                                  {[config_path] { return load(config_path); }, {}});
  if (!host.ok()) throw std::runtime_error(host.error().message);
  parts_->host = std::move(host.value());
  parts_->thread = std::thread([host = parts_->host.get()] { host->run(); });
}

Embedded::~Embedded() {
  if (parts_->process == getpid()) {
    stop();
  } else {
    // A forked child has neither the threads nor the sockets: there is nothing to end.
    static_cast<void>(parts_.release());
  }
}

Options Embedded::client_options() const {
  Options options;
  options.endpoint = inproc_endpoint;
  options.confirm_endpoint = parts_->confirm_endpoint.c_str();
  options.zmq_context = parts_->zmq_context.get();
  return options;
}

std::string Embedded::reload() {
  if (parts_->process != getpid() || !parts_->thread.joinable()) {
    throw std::runtime_error("the sidecar does not run\n");
  }
  sidecar::ReloadBoard& reloads = parts_->host->reloads();
  const auto outcome = reloads.wait_for(reloads.ask("the application"), reload_time_max);
  if (!outcome) throw std::runtime_error("the sidecar has not reloaded in time\n");
  if (outcome->result != sidecar::ReloadResult::applied) {
    throw std::runtime_error(joined(outcome->lines));
  }
  return joined(outcome->lines);
}

bool Embedded::stop() {
  if (parts_->process == getpid() && parts_->thread.joinable()) {
    parts_->host->request_stop();
    parts_->thread.join();
  }
  return !parts_->host->has_losses();
}

std::string Embedded::report() const {
  return parts_->thread.joinable() ? "the sidecar is running\n" : parts_->host->report();
}

}  // namespace outrider
