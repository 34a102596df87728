// StorageThread: the thread that runs the storage agent, so that ingest and delivery never wait for
// a disk.
//
// Used by Host. Thread: its own; the constructor starts it, the destructor ends it when the current
// group is done. Owns: the agent. Borrows: the exchange, the clock.
#pragma once

#include <condition_variable>
#include <memory>
#include <mutex>
#include <thread>

#include "sidecar/base/clock.hpp"
#include "sidecar/spool/storage_agent.hpp"

namespace outrider::sidecar {

class StorageThread {
 public:
  StorageThread(std::unique_ptr<StorageAgent> agent, Exchange& exchange, const Clock& clock);
  ~StorageThread();
  StorageThread(const StorageThread&) = delete;
  StorageThread& operator=(const StorageThread&) = delete;

 private:
  void run();
  bool sleep_until(MonoTime deadline);

  std::unique_ptr<StorageAgent> agent_;
  Exchange& exchange_;
  const Clock& clock_;
  std::mutex mutex_;
  std::condition_variable changed_;
  bool is_woken_ = false;     ///< guarded by mutex_
  bool is_stopping_ = false;  ///< guarded by mutex_
  std::thread thread_;
};

}  // namespace outrider::sidecar
