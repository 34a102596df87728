// One open file of the storage twin, with its locks and its part in the shared memory of a WAL.
//
// Used by StorageTwin and its VFS, under the twin's lock.
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <vector>

#include "support/twin_file.hpp"

namespace outrider::test {

/// The index of a WAL. Its last handle frees it; a dead handle keeps it valid, but shares it with
/// no living one.
struct StorageShm {
  std::vector<std::unique_ptr<char[]>> regions;
};

struct StorageHandle {
  std::string path;  ///< empty: a temporary file without a name
  std::shared_ptr<TwinFile> file;
  bool is_writable = false;
  bool is_removed_on_close = false;
  bool syncs_directory = false;  ///< with its first sync
  bool is_dead = false;          ///< since a crash
  int lock_level = 0;
  std::shared_ptr<StorageShm> shm;
  unsigned shm_shared = 0;  ///< slots, a bit each
  unsigned shm_exclusive = 0;
};

}  // namespace outrider::test
