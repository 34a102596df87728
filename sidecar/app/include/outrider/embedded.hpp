// Embedded: the whole sidecar inside the application's process, over inproc, with the same
// configuration file.
//
//     outrider::Embedded sidecar("outrider.conf");
//     outrider::Client client(sidecar.client_options());
//     client.emit("orders.paid", {{"amount", 49.99}});
//
// For tests, tools and programs that cannot have a second process. Queued events are lost if the
// application ends unexpectedly; delivered events survive on disk if the configuration has a spool.
// A forked child has no sidecar, and its client counts its events as dropped. The child gives up
// its copies of the sidecar's sockets and locks at once; stop() and the destructor do nothing
// there.
//
// Thread: its own, from construction to stop(). Owns: the sidecar and the ZeroMQ context, so
// clients must be closed before it is destroyed. The log goes to stderr as the configuration's
// [log] section says. Unless the configuration names endpoints, only clients of this process are
// served.
#pragma once

#include <memory>
#include <string>

#include <outrider/client.hpp>

namespace outrider {

class Embedded {
 public:
  /// Starts the sidecar. Throws std::runtime_error with every error of the configuration, or with
  /// the part that could not be opened.
  explicit Embedded(const std::string& config_path);

  /// stop(), if that was not called.
  ~Embedded();
  Embedded(const Embedded&) = delete;
  Embedded& operator=(const Embedded&) = delete;

  /// Options of a client that talks to this sidecar; valid as long as it is.
  Options client_options() const;

  /// Reads the configuration file again and uses it; waits for that. Returns what has changed, a
  /// line each. Throws std::runtime_error with every error; then nothing has changed. No signal
  /// does this here. Not while another thread calls stop().
  std::string reload();

  /// Stops taking events, sends the queued ones within the configured linger, and ends the thread.
  /// True if every accepted event was delivered.
  bool stop();

  /// The outcomes of all events, as a table for people; complete once stop() has returned.
  std::string report() const;

 private:
  struct Parts;
  std::unique_ptr<Parts> parts_;
};

}  // namespace outrider
