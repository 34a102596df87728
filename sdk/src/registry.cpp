#include "sdk/src/registry.hpp"

#include <algorithm>
#include <cstdlib>
#include <mutex>
#include <vector>

#include <pthread.h>

namespace outrider::sdk {
namespace {

struct Registry {
  std::mutex mutex;
  std::vector<Client*> clients;  ///< guarded by mutex
  bool has_handlers = false;     ///< guarded by mutex
};

/// Never destroyed: it is needed until the process is gone.
Registry& registry() {
  static Registry& instance = *new Registry;
  return instance;
}

void before_fork() {
  registry().mutex.lock();
  for (Client* client : registry().clients) client->before_fork();
}

void after_fork_in_parent() {
  for (Client* client : registry().clients) client->after_fork_in_parent();
  registry().mutex.unlock();
}

void after_fork_in_child() {
  for (Client* client : registry().clients) client->after_fork_in_child();
  registry().mutex.unlock();
}

void at_exit() {
  const std::lock_guard guard(registry().mutex);
  // All at the same time: the process waits for the most patient one, not for the sum.
  for (Client* client : registry().clients) client->begin_close();
  for (Client* client : registry().clients) client->finish_close();
}

}  // namespace

bool register_client(Client* client) {
  try {
    Registry& all = registry();
    const std::lock_guard guard(all.mutex);
    if (!all.has_handlers) {
      if (pthread_atfork(before_fork, after_fork_in_parent, after_fork_in_child) != 0 ||
          std::atexit(at_exit) != 0) {
        return false;
      }
      all.has_handlers = true;
    }
    all.clients.push_back(client);
    return true;
  } catch (...) {
    return false;
  }
}

void unregister_client(Client* client) {
  Registry& all = registry();
  const std::lock_guard guard(all.mutex);
  std::erase(all.clients, client);
}

}  // namespace outrider::sdk
