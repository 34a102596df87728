/* For LD_PRELOAD: a name server that never answers. */
#define _GNU_SOURCE
#include <netdb.h>
#include <unistd.h>

__attribute__((visibility("default"))) int getaddrinfo(const char* name, const char* service,
                                                       const struct addrinfo* hints,
                                                       struct addrinfo** found) {
  (void)name, (void)service, (void)hints, (void)found;
  for (;;) pause();
}
