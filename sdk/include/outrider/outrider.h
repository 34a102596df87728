/* Outrider's C interface: hand events to the local sidecar in about a hundred nanoseconds.
 *
 * Conventions
 * - Text and bytes are pointer and length; nothing has to end in a zero byte except `endpoint`.
 *   The library copies what it is given before the call returns and frees nothing of the caller's.
 * - A client belongs to whoever called outrider_client_new and is given back with
 *   outrider_client_free. Every other pointer that a function returns is constant and lives as long
 *   as the program.
 * - Threads: every function may be called from any thread at any time, with one rule: nobody uses a
 *   client during or after its outrider_client_free.
 * - Fork: a client made before fork() works on in both processes. The parent sends what was
 *   buffered before the fork; the child begins with an empty buffer, zero counters and a new client
 *   id. A client on a shared `zmq_context` cannot be used in the child (OUTRIDER_FORKED).
 * - Signals: not safe to call from signal handlers.
 * - Exit: clients that are still open at exit() are closed, each with its own linger_ms.
 * - Failures are status codes. The library never aborts, never throws, and never writes to stdout
 *   or stderr.
 * - Structs begin with their size as the caller knows it, so that a program built against an older
 *   header works with a newer library. Fields are added at the end only.
 */
#ifndef OUTRIDER_OUTRIDER_H
#define OUTRIDER_OUTRIDER_H

#include <stddef.h>
#include <stdint.h>

#if defined(__GNUC__)
#define OUTRIDER_API __attribute__((visibility("default")))
#else
#define OUTRIDER_API
#endif

#ifdef __cplusplus
extern "C" {
#endif

typedef struct outrider_client outrider_client;

/* Numbers never change. */
typedef enum outrider_status {
  OUTRIDER_OK = 0,
  OUTRIDER_FULL = 1,             /* the buffer is full; the event is dropped and counted */
  OUTRIDER_BAD_TOPIC = 2,        /* not 1 to 255 bytes of [A-Za-z0-9_-] tokens joined by dots */
  OUTRIDER_BAD_DATA = 3,         /* no data, or what packs it has failed */
  OUTRIDER_TOO_LARGE = 4,        /* the event is larger than event_bytes_max */
  OUTRIDER_BAD_ATTRIBUTES = 5,   /* an id, key or trace of the wrong size, or a wrong priority */
  OUTRIDER_CLOSED = 6,           /* the client has been closed */
  OUTRIDER_FORKED = 7,           /* a child's client that shares its parent's ZeroMQ context */
  OUTRIDER_TIMEOUT = 8,          /* the time was up first; for a close: events may be lost */
  OUTRIDER_INVALID_ARGUMENT = 9, /* a null pointer or an option that cannot work */
  OUTRIDER_NO_MEMORY = 10
} outrider_status;

typedef enum outrider_when_full {
  OUTRIDER_DROP_NEWEST = 0, /* the event at hand is dropped */
  OUTRIDER_DROP_OLDEST = 1  /* the oldest events are dropped, a few tens of KiB at a time */
} outrider_when_full;

/* Why events were dropped: indexes into outrider_stats.dropped. Numbers never change. */
typedef enum outrider_drop_reason {
  OUTRIDER_DROPPED_BUFFER_FULL = 0,
  OUTRIDER_DROPPED_EVENT_TOPIC = 1,
  OUTRIDER_DROPPED_EVENT_DATA = 2,
  OUTRIDER_DROPPED_EVENT_TOO_LARGE = 3,
  OUTRIDER_DROPPED_EVENT_ATTRIBUTES = 4,
  OUTRIDER_DROPPED_CLOSED = 5, /* emitted after close */
  OUTRIDER_DROPPED_FORKED = 6,
  OUTRIDER_DROPPED_LINGER = 7 /* still buffered when the time to close was up */
} outrider_drop_reason;
#define OUTRIDER_DROP_REASONS 8

typedef struct outrider_options {
  size_t struct_bytes;
  const char* endpoint;          /* ipc:///run/outrider/outrider.sock */
  uint64_t buffer_bytes_max;     /* 8 MiB; 64 KiB at least: all memory that waiting events take */
  uint32_t when_full;            /* OUTRIDER_DROP_NEWEST */
  uint32_t event_bytes_max;      /* 1 MiB, as in the sidecar; never more than buffer_bytes_max */
  uint32_t frame_bytes_max;      /* 256 KiB; one larger event is a frame of its own */
  uint32_t frame_delay_ms;       /* 2: how long events are gathered; an idle client sends at once */
  uint32_t send_frames_max;      /* 16: frames that ZeroMQ may hold */
  uint32_t reconnect_initial_ms; /* 100 */
  uint32_t reconnect_max_ms;     /* 5000: the interval doubles up to this */
  uint32_t linger_ms;            /* 1000: for outrider_client_free and exit() */
  void* zmq_context;             /* NULL: its own; else one that outlives the client, for inproc */
} outrider_options;

/* An event with everything it can carry. Zero means "not given" in every field but topic and data:
 *     outrider_event event = {.struct_bytes = sizeof event, .topic = "orders.paid", ...}; */
typedef struct outrider_event {
  size_t struct_bytes;
  const char* topic;
  size_t topic_bytes;
  const void* data; /* one msgpack value */
  size_t data_bytes;
  uint64_t time_ns; /* since the Unix epoch; 0: now */
  const void* id;   /* 16 bytes, or with id_is_text 1 to 64 bytes of text */
  size_t id_bytes;
  const char* key; /* ordering key, at most 255 bytes */
  size_t key_bytes;
  const char* trace; /* W3C traceparent, at most 255 bytes */
  size_t trace_bytes;
  uint64_t at_ns;     /* not before, since the Unix epoch */
  uint64_t ttl_ms;    /* counted from the event's time */
  int32_t priority;   /* -1 low, 0 normal, 1 high */
  int32_t id_is_text; /* 0 or 1 */
} outrider_event;

/* emitted = shipped_events + buffered_events + the sum of dropped[], when no call is under way. */
typedef struct outrider_stats {
  size_t struct_bytes;
  uint64_t emitted; /* every event offered, dropped ones too */
  uint64_t shipped_events;
  uint64_t shipped_frames;
  uint64_t buffered_events;
  uint64_t buffered_bytes;
  uint64_t dropped[OUTRIDER_DROP_REASONS];
  int32_t connected; /* 1: a sidecar is there */
} outrider_stats;

/* Fills in the defaults; `struct_bytes` is sizeof *options. */
OUTRIDER_API outrider_status outrider_options_init(outrider_options* options, size_t struct_bytes);

/* Makes a client; no thread is started and nothing is connected before the first emit.
 * `options` may be NULL: all defaults. */
OUTRIDER_API outrider_status outrider_client_new(const outrider_options* options,
                                                 outrider_client** client);

/* Closes with the client's own linger_ms and frees it. NULL is allowed. */
OUTRIDER_API void outrider_client_free(outrider_client* client);

/* Takes a copy of the event for sending. Never blocks; in steady state it makes no system call and
 * allocates nothing. What is not taken is counted as dropped. So is data that is not exactly one
 * msgpack value of at most 32 levels, but only when the event is about to be sent. */
OUTRIDER_API outrider_status outrider_emit(outrider_client* client, const char* topic,
                                           size_t topic_bytes, const void* data, size_t data_bytes);
OUTRIDER_API outrider_status outrider_emit_event(outrider_client* client,
                                                 const outrider_event* event);

/* The same, for those who would rather wait for room than drop; OUTRIDER_TIMEOUT: dropped. */
OUTRIDER_API outrider_status outrider_emit_wait(outrider_client* client,
                                                const outrider_event* event, uint32_t timeout_ms);

/* OUTRIDER_OK: every event taken before this call has been handed to a connected socket. */
OUTRIDER_API outrider_status outrider_flush(outrider_client* client, uint32_t timeout_ms);

/* Takes no more events, sends what is buffered and disconnects, in linger_ms and a little. What is
 * left is dropped and counted; OUTRIDER_TIMEOUT says that there was something. */
OUTRIDER_API outrider_status outrider_close(outrider_client* client, uint32_t linger_ms);

/* `struct_bytes` is sizeof *stats. */
OUTRIDER_API outrider_status outrider_stats_read(outrider_client* client, outrider_stats* stats,
                                                 size_t struct_bytes);

/* A sentence for people; a name as it stands in frame headers, "buffer_full"; "0.1.0". */
OUTRIDER_API const char* outrider_status_text(outrider_status status);
OUTRIDER_API const char* outrider_drop_reason_text(outrider_drop_reason reason);
OUTRIDER_API const char* outrider_version(void);

#ifdef __cplusplus
}
#endif

#endif
