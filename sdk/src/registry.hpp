// Registry: every client of the process, for the events that concern them all: fork() and exit().
// Used by the C functions. Thread: any. Owns: no client.
#pragma once

#include "sdk/src/client.hpp"

namespace outrider::sdk {

/// False: no memory, or the handlers cannot be registered.
bool register_client(Client* client);
void unregister_client(Client* client);

}  // namespace outrider::sdk
