/* Outrider's C interface: hand events to the local sidecar in about a hundred nanoseconds, or have
 * it confirm that they are safe.
 *
 * Two promises
 * - outrider_emit: speed. It never blocks and may drop; every drop is counted with its reason.
 * - outrider_deliver: certainty. The event is kept until the sidecar confirms that it is on disk,
 *   sent again as often as necessary, and taken once.
 *
 * Conventions
 * - Text and bytes are pointer and length; only the endpoints have to end in a zero byte. The
 *   library copies its arguments before the call returns and frees nothing that the caller owns.
 * - A client belongs to whoever called outrider_client_new and is given back with
 *   outrider_client_free. Every other pointer that a function returns is constant and lives as long
 *   as the program.
 * - Threads: every function may be called from any thread at any time, with one exception: no call
 *   may use a client during or after its outrider_client_free.
 * - Fork: a client made before fork() keeps working in both processes. The parent sends the events
 *   buffered before the fork and calls their confirm functions; the child begins with empty
 *   buffers, zero counters and a new client id. A client with an inproc endpoint cannot be used in
 *   the child (OUTRIDER_FORKED).
 * - Descriptors: the library and ZeroMQ own the descriptors that they open until the client is
 *   closed. An application that closes every descriptor, as daemons do, must close its clients
 *   first, or fork first: a child that has not used a client yet may close all of them.
 * - Thread limit: if the process cannot start another thread, the client stays unconnected, keeps
 *   its events and tries again every second.
 * - Signals: the functions are not safe to call from signal handlers.
 * - Exit: exit() closes all open clients at the same time, each with its own linger_ms.
 * - Failures are status codes. The library never aborts, never throws, and never writes to stdout
 *   or stderr.
 * - Structs begin with their size as the caller knows it, so that a program built against an older
 *   header works with a newer library. Fields are added only at the end. A struct without its size,
 *   for example one that is all zeros, gives OUTRIDER_INVALID_ARGUMENT.
 */
#ifndef OUTRIDER_OUTRIDER_H
#define OUTRIDER_OUTRIDER_H

#include <stddef.h> /* NOLINT(modernize-deprecated-headers): this is C */
#include <stdint.h> /* NOLINT(modernize-deprecated-headers) */

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
  OUTRIDER_FULL = 1,             /* the buffer is full; the event is not taken, but is counted */
  OUTRIDER_BAD_TOPIC = 2,        /* not 1 to 255 bytes of [A-Za-z0-9_-] tokens joined by dots */
  OUTRIDER_BAD_DATA = 3,         /* no data, or packing it failed */
  OUTRIDER_TOO_LARGE = 4,        /* the event is larger than event_bytes_max or the whole buffer */
  OUTRIDER_BAD_ATTRIBUTES = 5,   /* an invalid id, key, trace, time, priority or delay */
  OUTRIDER_CLOSED = 6,           /* the client has been closed */
  OUTRIDER_FORKED = 7,           /* a child's client that shares its parent's ZeroMQ context */
  OUTRIDER_TIMEOUT = 8,          /* the timeout passed first; after a close: events may be lost */
  OUTRIDER_INVALID_ARGUMENT = 9, /* a null pointer, a struct without its size, a bad option */
  OUTRIDER_NO_MEMORY = 10,
  OUTRIDER_REFUSED = 11 /* of a delivered event: the sidecar will never take it */
} outrider_status;

typedef enum outrider_when_full {
  OUTRIDER_DROP_NEWEST = 0, /* the new event is dropped */
  OUTRIDER_DROP_OLDEST = 1 /* the oldest events are dropped, a few tens of KiB at a time, only until
                              the new one fits; none if it would not fit even then */
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
  OUTRIDER_DROPPED_LINGER = 7 /* still buffered when the linger time ended */
} outrider_drop_reason;
#define OUTRIDER_DROP_REASONS 8

typedef struct outrider_options {
  size_t struct_bytes;
  const char* endpoint;          /* ipc:///run/outrider/outrider.sock */
  uint64_t buffer_bytes_max;     /* 8 MiB; 64 KiB at least: all memory that waiting events take */
  uint32_t when_full;            /* OUTRIDER_DROP_NEWEST */
  uint32_t event_bytes_max;      /* 1 MiB, as in the sidecar; for emit also limited by the buffer */
  uint32_t frame_bytes_max;      /* 256 KiB, which every sidecar takes. A frame larger than
                                    ingest.frame_bytes_max is lost. An event that is larger
                                    gets a frame of its own */
  uint32_t frame_delay_ms;       /* 2: how long events are gathered; an idle client sends at once */
  uint32_t send_frames_max;      /* 16: frames that ZeroMQ may hold */
  uint32_t reconnect_initial_ms; /* 100 */
  uint32_t reconnect_max_ms;     /* 5000: the interval doubles up to this */
  uint32_t linger_ms;            /* 1000: for outrider_client_free and exit() */
  void* zmq_context; /* NULL; for inproc, which needs one that outlives the client. Other endpoints
                        use their own, because closing it shows what was sent */
  const char* confirm_endpoint; /* ipc:///run/outrider/confirm.sock: where deliver sends */
  uint64_t deliver_bytes_max;   /* 8 MiB; 64 KiB at least: unconfirmed events and their records */
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
  const void* id;   /* 16 bytes, or with id_is_text 1 to 64 bytes of visible ASCII, no spaces */
  size_t id_bytes;
  const char* key; /* ordering key, at most 255 bytes */
  size_t key_bytes;
  const char* trace; /* W3C traceparent, at most 255 bytes */
  size_t trace_bytes;
  uint64_t at_ns;   /* not before, since the Unix epoch; in the year 2000 or later, or 0 */
  uint64_t ttl_ms;  /* from the event's time (now at the latest), or at_ns if later; 0: no limit */
  int32_t priority; /* -1 low, 0 normal, 1 high */
  int32_t id_is_text; /* 0 or 1 */
  uint64_t delay_ms;  /* not before this time from now, at most a century; not with at_ns */
} outrider_event;

/* These sums hold when no call is in progress; during a call, an offered event is in both sides or
 * in neither:
 *     emitted = shipped_events + buffered_events + the sum of dropped[]
 *     delivered = confirmed_events + refused_events + expired_events + unconfirmed_events +
 *                 rejected_deliveries
 * An emitting client does not check whether a sidecar is alive: a full one cannot answer, and
 * disconnecting from it would lose the frames on their way. So a sidecar that hangs is `connected`
 * until it is full. */
typedef struct outrider_stats {
  size_t struct_bytes;
  uint64_t emitted; /* every event offered, dropped ones too */
  uint64_t shipped_events;
  uint64_t shipped_frames;
  uint64_t buffered_events;
  uint64_t buffered_bytes;
  uint64_t dropped[OUTRIDER_DROP_REASONS];
  int32_t connected;            /* 1: a sidecar is connected, and has not been full for 5 seconds */
  int32_t confirm_connected;    /* 1: the confirm endpoint is connected, and was alive 20 s ago */
  uint64_t delivered;           /* every event offered to deliver */
  uint64_t confirmed_events;    /* safe with the sidecar */
  uint64_t refused_events;      /* OUTRIDER_REFUSED */
  uint64_t expired_events;      /* unconfirmed when the linger time ended */
  uint64_t unconfirmed_events;  /* kept, and sent until they get an answer */
  uint64_t unconfirmed_bytes;   /* at most deliver_bytes_max; while some of them wait for a full
                                    destination, an eighth more */
  uint64_t rejected_deliveries; /* not taken: deliver answered with another status than OK */
  uint64_t handed_over_events;  /* of shipped_events: given to the operating system, as of the last
                                   flush or close; ZeroMQ has sent or still holds the others */
  uint64_t unknown_events; /* of shipped_events: ZeroMQ still held them when the time to send them
                              ended; whether they arrived is unknown */
  uint32_t last_refusal;   /* the number of the last refusal in an answer to deliver, as in
                              proto/README.md; 0: none. A number of 32 or more is temporary:
                              the event is kept and sent again */
  uint64_t unanswered_events; /* of unconfirmed_events, and of expired_events after a close: sent,
                                 so that the sidecar may have them. It has none of the others */
} outrider_stats;

/* Fills in the defaults; `struct_bytes` is sizeof *options. */
OUTRIDER_API outrider_status outrider_options_init(outrider_options* options, size_t struct_bytes);

/* Makes a client; it starts no thread and connects to nothing before the first event. `options` may
 * be NULL: all defaults. */
OUTRIDER_API outrider_status outrider_client_new(const outrider_options* options,
                                                 outrider_client** client);

/* Closes with the client's own linger_ms and frees it. NULL is allowed. */
OUTRIDER_API void outrider_client_free(outrider_client* client);

/* Takes a copy of the event for sending. Never blocks; in steady state it makes no system call and
 * allocates nothing. An event that is not taken counts as dropped. So does an event whose data is
 * not exactly one msgpack value of at most 32 levels, but only when it is about to be sent. */
OUTRIDER_API outrider_status outrider_emit(outrider_client* client, const char* topic,
                                           size_t topic_bytes, const void* data, size_t data_bytes);
OUTRIDER_API outrider_status outrider_emit_event(outrider_client* client,
                                                 const outrider_event* event);

/* The same, but waits for room instead of dropping the event. OUTRIDER_TIMEOUT: it was dropped. */
OUTRIDER_API outrider_status outrider_emit_wait(outrider_client* client,
                                                const outrider_event* event, uint32_t timeout_ms);

/* The outcome of a delivered event:
 *   OUTRIDER_OK        the sidecar has it on disk, and keeps it until it is delivered or dead
 *   OUTRIDER_REFUSED   the sidecar will never take it
 *   OUTRIDER_TIMEOUT   the client was closed first; the sidecar may have the event or not
 * The function is called exactly once for each event that deliver took, on a thread of the library.
 * It may call deliver, emit and stats_read of the same client. It must not wait, flush, close,
 * free, fork or throw, and must return quickly: no other event is confirmed meanwhile. */
typedef void (*outrider_confirm_fn)(void* user, outrider_status status);

/* Takes a copy of the event, keeps it until the sidecar has confirmed it, and then calls `confirm`,
 * which may be NULL. Never waits for the sidecar. Any status but OUTRIDER_OK: the event was not
 * taken and `confirm` is not called. OUTRIDER_FULL: deliver_bytes_max are unconfirmed, or half of
 * it waits for full destinations and this topic goes to one of them. */
OUTRIDER_API outrider_status outrider_deliver(outrider_client* client, const outrider_event* event,
                                              outrider_confirm_fn confirm, void* user);

/* The same, but waits for the outcome of the event. OUTRIDER_TIMEOUT: not confirmed yet. The client
 * keeps the event, which may still be confirmed. If you deliver it again, it arrives as a second
 * event, unless both have the same id and the receiver checks ids. Every other status is as above;
 * OUTRIDER_FULL is returned at once here too. */
OUTRIDER_API outrider_status outrider_deliver_wait(outrider_client* client,
                                                   const outrider_event* event,
                                                   uint32_t timeout_ms);

/* OUTRIDER_OK: the operating system has every event that was emitted before this call and not
 * dropped, on its way to a connected sidecar. Every event delivered before this call has its
 * answer, and its `confirm` has returned. The process may now _exit. Call it at the end of a
 * process, a job or a test, not for every request: after an emit it makes a new connection. If a
 * connected sidecar takes nothing for five seconds, the emitted frames that ZeroMQ holds are lost
 * (send_frames_max, and the one being written): they count as unknown_events, and one flush returns
 * OUTRIDER_TIMEOUT for them. After a close it returns the status of the close. */
OUTRIDER_API outrider_status outrider_flush(outrider_client* client, uint32_t timeout_ms);

/* Takes no more events, sends the buffered ones, waits for the unconfirmed ones and disconnects, in
 * little more than linger_ms. Emitted events that remain are dropped and counted; delivered events
 * that remain end with OUTRIDER_TIMEOUT. In both cases it returns OUTRIDER_TIMEOUT. */
OUTRIDER_API outrider_status outrider_close(outrider_client* client, uint32_t linger_ms);

/* `struct_bytes` is sizeof *stats. */
OUTRIDER_API outrider_status outrider_stats_read(outrider_client* client, outrider_stats* stats,
                                                 size_t struct_bytes);

/* Why the client's events are not confirmed or not on their way, as far as it knows: a sentence for
 * the log, after an OUTRIDER_TIMEOUT and after a close. For example: no sidecar is connected, none
 * answers, another kind of socket listens there, or the sidecar's spool is full. Delivered events
 * come before emitted ones. Empty: no event waits, or the client knows of no obstacle. The text
 * lives as long as the program. */
OUTRIDER_API const char* outrider_obstacle_text(outrider_client* client);

/* A sentence for people; the reason's name in frame headers, such as "buffer_full"; "0.1.0". */
OUTRIDER_API const char* outrider_status_text(outrider_status status);
OUTRIDER_API const char* outrider_drop_reason_text(outrider_drop_reason reason);
OUTRIDER_API const char* outrider_version(void);

#ifdef __cplusplus
}
#endif

#endif
