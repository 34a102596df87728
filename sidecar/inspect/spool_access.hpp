// Opens a spool from outside: to read it beside a sidecar, or to change it while no sidecar uses
// it.
//
// Used by the commands `outrider spool` and `outrider dead`, and by the probes of `outrider check`.
//
// Thread: the caller's. Fails with: an Error that says what to do; guarded() turns the SqliteError
// of any work on an open database into one.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "sidecar/base/result.hpp"
#include "sidecar/spool/store.hpp"

namespace outrider::sidecar {

/// Never makes a file, and changes none. Fails if there is no spool, or it may not be read.
Result<Database> open_to_read(const std::string& path);

/// Whether a sidecar can take the file as its spool. Makes no file. `is_damaged`: it is no
/// database; a sidecar would set it aside.
Status check_first_page(const std::string& path, bool& is_damaged);

/// There is a file that is not empty, and it may be changed.
Status check_writable(const std::string& path);

/// For Store, with the same checks before.
Result<std::unique_ptr<Store>> open_to_write(const std::string& path);

/// Runs `action`; errors of the database become an Error that names the spool.
Status guarded(const std::string& path, const std::function<void()>& action);

/// 0 if there is no such file.
std::uint64_t file_bytes(const std::string& path);

/// A sidecar uses it. Looks at its lock and does not hold it.
bool is_in_use(const std::string& path);
/// Tells the sidecar that uses this spool, if there is one, that something has changed.
void touch_spool(const std::string& path);
/// Before something is changed beside a running sidecar: fails if the two would not see each
/// other's changes, because a file beside the spool was deleted. Tells the sidecar, and waits a
/// moment.
Status wait_for_shared_memory(const std::string& path);

/// Keeps sidecars from using the spool as long as it lives.
class SpoolLock {
 public:
  /// Fails if one uses it.
  static Result<std::unique_ptr<SpoolLock>> take(const std::string& path);
  ~SpoolLock();
  SpoolLock(const SpoolLock&) = delete;
  SpoolLock& operator=(const SpoolLock&) = delete;

 private:
  explicit SpoolLock(int fd) : fd_(fd) {}
  int fd_;
};

/// Sees one moment of the spool as long as it lives, whatever a sidecar writes meanwhile.
class ReadTransaction {
 public:
  explicit ReadTransaction(Database& database);
  ~ReadTransaction();
  ReadTransaction(const ReadTransaction&) = delete;
  ReadTransaction& operator=(const ReadTransaction&) = delete;

 private:
  Database& database_;
};

}  // namespace outrider::sidecar
