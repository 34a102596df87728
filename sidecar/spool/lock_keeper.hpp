// LockKeeper: keeps the spool's lock file ours, and notices that commands have touched it.
//
// Used by StoreKeeper, before each promise and when it keeps house; StorageAgent asks whether the
// spool was touched. Thread: the storage thread's. Borrows: the disk, which holds the lock itself.
// Fails with: what Disk::lock() throws, when another sidecar has the spool.
//
// Invariant: a lock file that was removed or replaced is locked again before anything is promised.
// A sidecar that started in between has locked the new file, and then the spool is that one's.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <utility>

#include "sidecar/base/clock.hpp"
#include "sidecar/spool/disk.hpp"

namespace outrider::sidecar {

class LockKeeper {
 public:
  /// Arranges that somebody tells of what happens to the lock file. False: look at it each second.
  using Watch = std::function<bool(const std::string& lock_file)>;

  LockKeeper(Disk& disk, std::string spool_path, Watch watch)
      : disk_(disk), spool_path_(std::move(spool_path)), watch_(std::move(watch)) {}

  bool is_taken() const { return file_.has_value(); }
  void take();
  /// Takes it again if the lock file is another one.
  void check();

  /// The same, when it is due.
  void keep(const Now& now);
  MonoTime next_deadline() const { return next_look_; }
  /// Something happened to the lock file: keep() looks at it next time.
  void doubt() { next_look_ = {}; }
  /// keep() has failed, and is not called again at once.
  void postpone(const Now& now);

  /// Somebody else may have changed the database since note_looked().
  bool is_touched() const { return is_touched_; }
  void note_looked() { is_touched_ = false; }

 private:
  Disk& disk_;
  const std::string spool_path_;
  const Watch watch_;
  std::optional<FileMark> file_;
  bool is_watched_ = false;
  bool is_touched_ = false;
  MonoTime next_look_ = never;
};

}  // namespace outrider::sidecar
