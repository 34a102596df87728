// ZmqTransport: fans events out to ZeroMQ peers, PUB to all subscribers or PUSH to one of many.
//
// Used by destinations of type zmq. Each event is one message of two parts: its topic, and its own
// part of the body. The encoder puts nothing around or between the events (ndjson, whose newline is
// left out, or msgpack_stream).
//
// Thread: the sidecar's one thread; blocks only in its destructor if its peers have names, at most
// until the deadline given to close(). Owns: a ZmqSocket, whose ipc paths have mode 0660. Borrows:
// the context, the reactor and the log. Fails with: an Error when it is opened; later with
// completions.
//
// PUSH sends to peers that are connected, and hands over little for each: zmq_events_a_peer() to
// libzmq and 64 KiB to the kernel. When none of them takes more, an attempt waits. If a part of it
// is sent, that part is completed after 10 ms without room, or by hurry(); an attempt of which
// nothing is sent fails after `timeout`. So an attempt that is cancelled after hurry() has sent
// nothing.
//
// PUB never waits. An event that meets a subscriber at its high-water mark goes to all the others
// and counts as lost. libzmq then silently skips that subscriber until it has caught up by half of
// its mark: with several subscriptions the count is a lower bound; with a single one it is exact.
// An event that nobody subscribes to is settled, as with every PUB. FanoutLog logs such events, and
// peers that disconnect while libzmq holds something for them.
#pragma once

#include <memory>

#include "sidecar/base/log.hpp"
#include "sidecar/base/reactor.hpp"
#include "sidecar/base/result.hpp"
#include "sidecar/config/config.hpp"
#include "sidecar/deliver/transport.hpp"

namespace outrider::sidecar {

/// Its socket is in a context of its own, which takes three threads: it connects to peers by name
/// (see OwnContext).
bool has_own_context(const DestinationConfig& config);

/// Binds or connects to every one of the configuration's urls, or fails. Logs where it listens.
Result<std::unique_ptr<Transport>> make_zmq_transport(const DestinationConfig& config,
                                                      void* context, Reactor& reactor, Log& log);

}  // namespace outrider::sidecar
