/* The C interface as a C11 program uses it; called by c_abi_test.cpp. */
#include "unit/sdk/c_abi_c11.h"

#include <outrider/outrider.h>

int emit_from_c(const char* endpoint) {
  outrider_options options;
  if (outrider_options_init(&options, sizeof options) != OUTRIDER_OK) return 1;
  options.endpoint = endpoint;
  options.when_full = OUTRIDER_DROP_OLDEST;

  outrider_client* client = NULL;
  if (outrider_client_new(&options, &client) != OUTRIDER_OK) return 2;

  static const unsigned char data[] = {0x81, 0xa1, 'a', 0x01};
  if (outrider_emit(client, "from.c", 6, data, sizeof data) != OUTRIDER_OK) return 3;

  const outrider_event event = {.struct_bytes = sizeof event,
                                .topic = "from.c",
                                .topic_bytes = 6,
                                .data = data,
                                .data_bytes = sizeof data,
                                .key = "k",
                                .key_bytes = 1,
                                .priority = 1};
  if (outrider_emit_event(client, &event) != OUTRIDER_OK) return 4;
  if (outrider_emit_wait(client, &event, 1000) != OUTRIDER_OK) return 5;
  if (outrider_emit(client, "not a topic", 11, data, sizeof data) != OUTRIDER_BAD_TOPIC) return 6;
  if (outrider_flush(client, 20000) != OUTRIDER_OK) return 7;

  outrider_stats stats;
  if (outrider_stats_read(client, &stats, sizeof stats) != OUTRIDER_OK) return 8;
  if (stats.emitted != 4 || stats.shipped_events != 3 || stats.connected != 1) return 9;
  if (stats.dropped[OUTRIDER_DROPPED_EVENT_TOPIC] != 1) return 10;

  if (outrider_close(client, 5000) != OUTRIDER_OK) return 11;
  if (outrider_emit_event(client, &event) != OUTRIDER_CLOSED) return 12;
  outrider_client_free(client);
  return 0;
}
