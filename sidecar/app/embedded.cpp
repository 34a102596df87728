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
constexpr const char* inproc_confirm_endpoint = "inproc://outrider-confirm";

sidecar::Config load(const std::string& path) {
  const sidecar::LoadResult result = sidecar::load_config(path);
  if (!result.ok()) {
    std::string message;
    for (const sidecar::Error& error : result.errors) message += error.message + "\n";
    throw std::runtime_error(message);
  }
  sidecar::Config config = result.loaded.config;
  // The default endpoint is the system's sidecar, whose place an application does not take.
  if (!result.loaded.origins.contains("ingest.endpoint")) config.ingest.endpoints.clear();
  config.ingest.endpoints.emplace_back(inproc_endpoint);
  if (!result.loaded.origins.contains("ingest.confirm_endpoint")) {
    config.ingest.confirm_endpoint = inproc_confirm_endpoint;
  }
  if (!result.loaded.origins.contains("admin.listen")) config.admin.listen = "none";
  return config;
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
  const sidecar::Config config = load(config_path);
  parts_->confirm_endpoint = config.ingest.confirm_endpoint;
  parts_->log = sidecar::make_stderr_log(config.log_level, config.log_format);
  auto host = sidecar::Host::open(config, *parts_->log, parts_->zmq_context.get());
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
