// EventSender: what `outrider emit` hands its events to: the SDK's emit, or its deliver.
//
// Used by emit_command, on one thread. Owns: the client. Fails with: outrider_status. Limits: it
// waits no longer than the timeout, once for each event and once at the end.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>

#include "outrider/outrider.h"
#include "sidecar/base/clock.hpp"
#include "sidecar/cli/emit_line.hpp"

namespace outrider::sidecar {

struct SenderOptions {
  std::string endpoint;
  std::string confirm_endpoint;
  bool confirm = false;  ///< deliver, to the second endpoint
  /// Also for a sidecar that is not there, or has no room: until the timeout.
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

  /// OUTRIDER_TIMEOUT: no room for the whole timeout, or as long as the sidecar says that it has
  /// none.
  outrider_status send(const EmitEvent& event);

  struct Outcome {
    std::uint64_t sent = 0;     ///< with confirm, those that were confirmed
    std::uint64_t unknown = 0;  ///< handed to a sidecar that took nothing more: sent or lost
    std::uint64_t refused = 0;  ///< with confirm, by the sidecar
    std::uint32_t refusal = 0;  ///< with confirm, the last reason; 0: there was none
  };
  /// Sends the rest and says what became of the events.
  Outcome finish();

 private:
  struct FreeClient {
    void operator()(outrider_client* client) const { outrider_client_free(client); }
  };

  static void on_confirm(void* user, outrider_status status);
  outrider_status deliver(const outrider_event& event);
  outrider_status flush();
  bool has_no_room() const;
  outrider_stats stats() const;

  const SenderOptions options_;
  outrider_status status_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::uint64_t answered_ = 0;  ///< guarded by mutex_
  std::uint32_t refusal_ = 0;   ///< of the last event that was refused for good; guarded by mutex_
  // Last: its thread calls on_confirm until it is freed.
  std::unique_ptr<outrider_client, FreeClient> client_;
};

}  // namespace outrider::sidecar
