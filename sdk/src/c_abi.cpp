#include <algorithm>
#include <array>
#include <cstddef>
#include <cstring>
#include <memory>
#include <new>

#include "outrider/outrider.h"
#include "sdk/src/client.hpp"
#include "sdk/src/registry.hpp"

using outrider::sdk::Client;

struct outrider_client {
  explicit outrider_client(const outrider::sdk::ClientOptions& options) : client(options) {}
  Client client;
};

namespace {

/// Any struct is smaller, of whatever version; garbage mostly is not.
constexpr std::size_t struct_bytes_max = 4096;

/// Whether a struct says its size, as it had from the first version on at least.
bool is_struct_size(std::size_t struct_bytes, std::size_t first_version_bytes) {
  return struct_bytes >= first_version_bytes && struct_bytes <= struct_bytes_max;
}

bool is_usable(const outrider_options& options) {
  return is_struct_size(options.struct_bytes, offsetof(outrider_options, buffer_bytes_max));
}

/// Null is not.
bool is_usable(const outrider_event* event) {
  return event != nullptr && is_struct_size(event->struct_bytes, offsetof(outrider_event, time_ns));
}

/// A struct of the caller's, whose header may be older or newer than this library.
template <typename Struct>
Struct as_known(const Struct& given, Struct known) {
  std::memcpy(&known, &given, std::min(given.struct_bytes, sizeof known));
  return known;
}

template <typename Struct>
void copy_out(const Struct& known, Struct* given, std::size_t struct_bytes) {
  std::memset(given, 0, struct_bytes);
  std::memcpy(given, &known, std::min(struct_bytes, sizeof known));
  given->struct_bytes = struct_bytes;
}

constexpr std::array<const char*, 12> status_texts = {
    "done",
    "the buffer is full, or half of it waits for full destinations; the event was not taken",
    "the topic is not 1 to 255 bytes of [A-Za-z0-9_-] tokens joined by dots",
    "the event has no data, or packing it failed",
    "the event is larger than event_bytes_max, here or in the sidecar",
    "an id, key or trace has the wrong size, the priority is not -1, 0 or 1, a time or the ttl is "
    "negative, or the delay is more than a century or is combined with a date",
    "the client is closed",
    "the client shares a ZeroMQ context with the parent of this forked process",
    "the time limit passed first; outrider_obstacle_text gives the reason",
    "an argument is null, a struct has no size, or an option has an invalid value",
    "there is no memory left",
    "the sidecar refused the event for good",
};

}  // namespace

outrider_status outrider_options_init(outrider_options* options, size_t struct_bytes) {
  if (options == nullptr || !is_struct_size(struct_bytes, sizeof options->struct_bytes)) {
    return OUTRIDER_INVALID_ARGUMENT;
  }
  copy_out(outrider::sdk::default_options(), options, struct_bytes);
  return OUTRIDER_OK;
}

outrider_status outrider_client_new(const outrider_options* options, outrider_client** client) {
  if (client == nullptr) return OUTRIDER_INVALID_ARGUMENT;
  *client = nullptr;
  outrider_options known = outrider::sdk::default_options();
  if (options != nullptr) {
    if (!is_usable(*options)) return OUTRIDER_INVALID_ARGUMENT;
    known = as_known(*options, known);
  }
  try {
    outrider::sdk::ClientOptions effective;
    if (!outrider::sdk::read_options(known, effective)) return OUTRIDER_INVALID_ARGUMENT;
    auto made = std::make_unique<outrider_client>(effective);
    if (!outrider::sdk::register_client(&made->client)) return OUTRIDER_NO_MEMORY;
    *client = made.release();
    return OUTRIDER_OK;
  } catch (...) {
    return OUTRIDER_NO_MEMORY;
  }
}

void outrider_client_free(outrider_client* client) {
  if (client == nullptr) return;
  client->client.close();
  // A thread that hangs in libzmq still uses the client, so the registry keeps it.
  if (!client->client.can_be_freed()) return;
  outrider::sdk::unregister_client(&client->client);
  delete client;
}

outrider_status outrider_emit(outrider_client* client, const char* topic, size_t topic_bytes,
                              const void* data, size_t data_bytes) {
  if (client == nullptr) return OUTRIDER_INVALID_ARGUMENT;
  outrider_event event{};
  event.topic = topic;
  event.topic_bytes = topic_bytes;
  event.data = data;
  event.data_bytes = data_bytes;
  return client->client.emit(event);
}

outrider_status outrider_emit_event(outrider_client* client, const outrider_event* event) {
  if (client == nullptr || !is_usable(event)) return OUTRIDER_INVALID_ARGUMENT;
  return client->client.emit(as_known(*event, {}));
}

outrider_status outrider_emit_wait(outrider_client* client, const outrider_event* event,
                                   uint32_t timeout_ms) {
  if (client == nullptr || !is_usable(event)) return OUTRIDER_INVALID_ARGUMENT;
  return client->client.emit_wait(as_known(*event, {}), timeout_ms);
}

outrider_status outrider_deliver(outrider_client* client, const outrider_event* event,
                                 outrider_confirm_fn confirm, void* user) {
  if (client == nullptr || !is_usable(event)) return OUTRIDER_INVALID_ARGUMENT;
  return client->client.deliver(as_known(*event, {}), {confirm, user});
}

outrider_status outrider_deliver_wait(outrider_client* client, const outrider_event* event,
                                      uint32_t timeout_ms) {
  if (client == nullptr || !is_usable(event)) return OUTRIDER_INVALID_ARGUMENT;
  return client->client.deliver_wait(as_known(*event, {}), timeout_ms);
}

outrider_status outrider_flush(outrider_client* client, uint32_t timeout_ms) {
  if (client == nullptr) return OUTRIDER_INVALID_ARGUMENT;
  return client->client.flush(timeout_ms);
}

outrider_status outrider_close(outrider_client* client, uint32_t linger_ms) {
  if (client == nullptr) return OUTRIDER_INVALID_ARGUMENT;
  return client->client.close(linger_ms);
}

outrider_status outrider_stats_read(outrider_client* client, outrider_stats* stats,
                                    size_t struct_bytes) {
  if (client == nullptr || stats == nullptr ||
      !is_struct_size(struct_bytes, sizeof stats->struct_bytes)) {
    return OUTRIDER_INVALID_ARGUMENT;
  }
  copy_out(client->client.stats(), stats, struct_bytes);
  return OUTRIDER_OK;
}

const char* outrider_obstacle_text(outrider_client* client) {
  return client == nullptr ? "" : client->client.obstacle();
}

const char* outrider_status_text(outrider_status status) {
  const auto index = static_cast<std::size_t>(status);
  return index < status_texts.size() ? status_texts[index] : "unknown status";
}

const char* outrider_drop_reason_text(outrider_drop_reason reason) {
  const auto index = static_cast<std::size_t>(reason);
  const auto& names = outrider::sdk::drop_reason_names;
  return index < names.size() ? names[index] : "unknown";
}

const char* outrider_version(void) {
  return OUTRIDER_VERSION;
}
