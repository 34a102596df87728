// EventSender: sends the events of `outrider emit` with the SDK's emit or deliver.
//
// Used by emit_command, on one thread. Owns: the client. Fails with: outrider_status. Limits: it
// waits no longer than the timeout, once for each event and once at the end. Without confirm the
// sidecar does not announce its limits: an event has at most 1 MiB, the sidecar's default. With
// confirm it has at most 64 MiB, and at most what the sidecar announces.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <string>

#include "outrider/outrider.h"
#include "sidecar/base/clock.hpp"
#include "sidecar/base/handle.hpp"
#include "sidecar/cli/emit_line.hpp"

namespace outrider::sidecar {

struct SenderOptions {
  std::string endpoint;
  std::string confirm_endpoint;
  bool confirm = false;  ///< deliver, to the second endpoint
  /// Also for a sidecar that is not there, or that has no room: until the timeout.
  bool wait = false;
  Duration timeout = std::chrono::seconds(5);

  const std::string& used_endpoint() const { return confirm ? confirm_endpoint : endpoint; }
};

class EventSender {
 public:
  explicit EventSender(const SenderOptions& options);
  EventSender(const EventSender&) = delete;
  EventSender& operator=(const EventSender&) = delete;

  /// Other than OUTRIDER_OK: an option cannot work, and nothing can be sent.
  outrider_status status() const { return status_; }

  /// OUTRIDER_TIMEOUT: no room for the whole timeout, or none as the sidecar itself says.
  outrider_status send(const EmitEvent& event);
  /// Why `event` was not taken, to which send() gave this status.
  std::string reason(outrider_status status, const EmitEvent& event) const;

  struct Outcome {
    std::uint64_t sent = 0;     ///< handed over; with confirm, those that were confirmed
    std::uint64_t refused = 0;  ///< with confirm, by the sidecar
    std::uint64_t lost = 0;     ///< taken by send(), and certainly not with the sidecar
    std::uint64_t unknown = 0;  ///< on their way when the time was up; they may have arrived
  };
  /// Sends the rest and returns the outcomes. A temporary refusal by the sidecar ends the wait.
  Outcome finish();

  /// Why nothing could be sent now, if that is known without waiting: no socket, no listener, no
  /// permission, or a socket of another kind. Empty: it may well work.
  std::string obstacle();
  /// The client's own reason why events wait, or waited at the end; empty: none.
  std::string why_waiting() const;
  /// The last refusal that an answer named, by its name and in words; empty: none.
  std::string last_refusal() const;

 private:
  static void on_confirm(void* user, outrider_status status);
  outrider_status deliver(const outrider_event& event);
  /// The unconfirmed events leave room for this many bytes, or there are none.
  bool has_window(std::size_t bytes);
  outrider_status flush();
  void await_answers();
  /// The sidecar refuses temporarily, and has not answered for this long.
  bool has_no_room(Duration quiet) const;
  outrider_stats stats() const;

  const SenderOptions options_;
  std::uint64_t event_bytes_max_ = 0;
  std::uint64_t unconfirmed_bytes_ = 0;  ///< an upper bound
  outrider_status status_;
  bool is_looked_at_ = false;  ///< the kind of the socket was checked, which can take a second
  std::mutex mutex_;
  std::condition_variable changed_;
  std::uint64_t answered_ = 0;  ///< guarded by mutex_
  // Last: its thread calls on_confirm until it is freed.
  Handle<outrider_client, outrider_client_free> client_;
};

}  // namespace outrider::sidecar
