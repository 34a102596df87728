// Client: the implementation of an outrider_client.
//
// Used by the C functions (c_abi.cpp) and by the fork and exit handlers (registry.cpp).
// Thread: any. Owns: buffer, drop counts and, from the first event on, the shipper; from the first
// delivered event on, the courier. Fails with: outrider_status.
//
// Fork: during a fork the forking thread holds mutex_ and the buffer's locks, so that the child has
// no half-made shipper or courier and no half-appended event. The child abandons both (worker.hpp)
// and begins with an empty buffer; its first event makes new ones.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <mutex>

#include "outrider/outrider.h"
#include "proto/bytes.hpp"
#include "proto/frame_writer.hpp"
#include "proto/topic.hpp"
#include "sdk/src/attributes.hpp"
#include "sdk/src/buffer.hpp"
#include "sdk/src/courier.hpp"
#include "sdk/src/drops.hpp"
#include "sdk/src/shipper.hpp"

namespace outrider::sdk {

/// Options as they take effect.
struct ClientOptions {
  ShipperOptions shipper;
  CourierOptions courier;
  std::size_t buffer_bytes_max = 0;
  std::size_t event_bytes_max = 0;
  std::size_t emit_bytes_max = 0;  ///< of an event, as the buffer has room for it
  bool drop_oldest = false;
  std::uint32_t linger_ms = 0;
};

outrider_options default_options();
/// False: something in them cannot work.
bool read_options(const outrider_options& in, ClientOptions& out);

class Client {
 public:
  explicit Client(const ClientOptions& options);
  ~Client();
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;

  outrider_status emit(const outrider_event& event);
  outrider_status emit_wait(const outrider_event& event, std::uint32_t timeout_ms);
  outrider_status deliver(const outrider_event& event, Delivery delivery);
  outrider_status deliver_wait(const outrider_event& event, std::uint32_t timeout_ms);
  outrider_status flush(std::uint32_t timeout_ms);
  outrider_status close(std::uint32_t linger_ms);
  outrider_status close() { return close(options_.linger_ms); }
  /// The two halves of a close, so that many clients can spend the same time.
  void begin_close(std::uint32_t linger_ms);
  void begin_close() { begin_close(options_.linger_ms); }
  outrider_status finish_close();
  outrider_stats stats();
  const char* obstacle();

  /// After close: false if a thread still runs, so that nothing here may be freed.
  bool can_be_freed();

  void before_fork();
  void after_fork_in_parent();
  void after_fork_in_child();

 private:
  /// An event that has passed every check, in its wire form: head, data, attributes.
  struct WireEvent {
    std::array<std::uint8_t, proto::event_head_bytes_max(proto::topic_bytes_max)> head;
    std::array<std::uint8_t, attributes_bytes_max> attributes;
    std::size_t head_bytes;
    std::size_t attributes_bytes;
    proto::ByteView data;

    std::size_t bytes() const { return head_bytes + data.size() + attributes_bytes; }
  };

  static outrider_status encode(const outrider_event& event, std::size_t bytes_max, WireEvent& out);
  Append append(const WireEvent& event);
  Append append_evicting(const WireEvent& event);
  outrider_status conclude(Append result);
  /// Of an event offered to emit: counts the drop.
  outrider_status refuse(outrider_status status);
  outrider_status take_for_delivery(const outrider_event& event, Delivery delivery);
  bool flush_buffer(SteadyTime deadline);
  /// The running shipper, which it starts if necessary; nullptr if that fails or the client is
  /// closed.
  Shipper* shipper();
  /// OUTRIDER_OK: `running` is the shipper or courier, made with `args` and started if necessary.
  template <typename Runner, typename... Args>
  outrider_status find(std::atomic<Runner*>& runner, Runner*& running, Args&... args);

  const ClientOptions options_;
  Drops drops_;
  Buffer buffer_;
  std::atomic<Shipper*> shipper_ = nullptr;
  std::atomic<Courier*> courier_ = nullptr;
  std::atomic<std::uint64_t> rejected_deliveries_ = 0;
  std::atomic<bool> is_forked_ = false;
  std::mutex mutex_;        ///< held while a thread is started, and over a fork
  bool is_closed_ = false;  ///< guarded by mutex_
};

}  // namespace outrider::sdk
