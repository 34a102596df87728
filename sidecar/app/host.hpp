// Host: the App in the real world, with sockets, clocks and one thread.
//
// Used by `outrider run` and by embedded mode. Thread: one thread calls run(), which returns when
// the shutdown is complete; request_stop() is safe from any thread and from a signal handler.
// Owns: all of it, but the log, and the ZeroMQ context if one is given.
// Fails with: an Error when something cannot be opened; nothing has been started then.
#pragma once

#include <memory>

#include "sidecar/app/app.hpp"
#include "sidecar/base/clock.hpp"
#include "sidecar/base/log.hpp"
#include "sidecar/base/reactor.hpp"
#include "sidecar/base/result.hpp"
#include "sidecar/config/config.hpp"
#include "sidecar/deliver/curl_transport.hpp"
#include "sidecar/ingest/zmq_source.hpp"

namespace outrider::sidecar {

class Host {
 public:
  /// Opens everything. `zmq_context`: the application's, for inproc endpoints; null for one of our
  /// own.
  static Result<std::unique_ptr<Host>> open(const Config& config, Log& log,
                                            void* zmq_context = nullptr);

  /// Turns the app until request_stop() has been called and its shutdown is complete.
  void run();

  void request_stop();

  /// Only while run() is not running.
  Report report() const { return app_->report(); }

  /// When the linger time of the shutdown is over. Only when run() has returned.
  MonoTime linger_until() const { return app_->linger_until(); }

 private:
  Host() : curl_(reactor_) {}

  // In this order: what stands below uses what stands above.
  SystemClock clock_;
  Reactor reactor_;
  std::unique_ptr<ZmqContext> zmq_context_;
  CurlDriver curl_;
  std::unique_ptr<App> app_;
};

}  // namespace outrider::sidecar
