#include "support/storage_twin.hpp"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <set>
#include <utility>

#include <sqlite3.h>

#include "support/storage_handle.hpp"

namespace outrider::test {

namespace {

using Guard = std::lock_guard<std::mutex>;

bool is_change(StorageOperation operation) {
  return operation != StorageOperation::read && operation != StorageOperation::shm_map;
}

}  // namespace

void StorageTwin::fail(const StorageFault& fault) {
  const Guard guard(mutex_);
  faults_.push_back({fault});
}

void StorageTwin::clear_faults() {
  const Guard guard(mutex_);
  faults_.clear();
}

void StorageTwin::ignore_syncs(bool ignore) {
  const Guard guard(mutex_);
  ignores_syncs_ = ignore;
}

std::uint64_t StorageTwin::count(StorageOperation operation) const {
  const Guard guard(mutex_);
  return counts_[static_cast<std::size_t>(operation)];
}

std::uint64_t StorageTwin::changes() const {
  const Guard guard(mutex_);
  return changes_;
}

void StorageTwin::set_bytes_max(std::uint64_t bytes_max, int error) {
  const Guard guard(mutex_);
  bytes_max_ = bytes_max;
  no_room_error_ = error;
}

std::uint64_t StorageTwin::free_bytes() const {
  const Guard guard(mutex_);
  return free_now();
}

void StorageTwin::set_file_bytes_max(std::uint64_t bytes_max) {
  const Guard guard(mutex_);
  file_bytes_max_ = bytes_max;
}

std::uint64_t StorageTwin::file_bytes_max() const {
  const Guard guard(mutex_);
  return file_bytes_max_;
}

std::uint64_t StorageTwin::free_now() const {
  std::set<const TwinFile*> files;
  for (const auto& [path, file] : names_) files.insert(file.get());
  for (const StorageHandle* handle : handles_) files.insert(handle->file.get());
  std::uint64_t used = 0;
  for (const TwinFile* file : files) used += file->content().size();
  return bytes_max_ - std::min(bytes_max_, used);
}

StorageTwin::Verdict StorageTwin::judge(StorageOperation operation, const std::string& path) {
  if (is_down_) return {SQLITE_IOERR};
  if (operations_left_-- == 0) {
    has_overrun_ = true;
    crash_kind_ = StorageCrash::process;
    return {SQLITE_IOERR, false, true};
  }
  ++counts_[static_cast<std::size_t>(operation)];
  if (is_change(operation) && ++changes_ == crash_change_) return {SQLITE_IOERR, true, true};
  Verdict verdict;
  for (ActiveFault& active : faults_) {
    const StorageFault& fault = active.fault;
    if (fault.operation != operation || !path.ends_with(fault.path_end)) continue;
    ++active.seen;
    const bool is_hit = active.seen >= fault.nth && active.seen - fault.nth < fault.times;
    if (!is_hit || verdict.code != SQLITE_OK) continue;
    verdict = {fault.code, fault.is_torn};
    errno = fault.error;
  }
  return verdict;
}

int StorageTwin::end(const Verdict& verdict) {
  if (verdict.is_crash) crash_now(crash_kind_);
  return verdict.code;
}

int StorageTwin::pass(StorageOperation operation, const std::string& path) {
  return end(judge(operation, path));
}

void StorageTwin::crash(StorageCrash crash) {
  const Guard guard(mutex_);
  crash_now(crash);
}

void StorageTwin::crash_at(std::uint64_t nth_change, StorageCrash crash) {
  const Guard guard(mutex_);
  crash_change_ = changes_ + nth_change;
  crash_kind_ = crash;
}

void StorageTwin::crash_now(StorageCrash crash) {
  is_down_ = true;
  crash_change_ = 0;
  for (StorageHandle* handle : handles_) handle->is_dead = true;
  handles_.clear();
  if (crash == StorageCrash::process) return;

  unsynced_names_.resize(random_.up_to(unsynced_names_.size()));
  names_ = durable_names_;
  for (const Names& change : std::exchange(unsynced_names_, {})) rename_now(change);
  sync_names();
  for (auto& [path, file] : names_) file->lose_power(random_);
}

bool StorageTwin::is_down() const {
  const Guard guard(mutex_);
  return is_down_;
}

void StorageTwin::restart() {
  const Guard guard(mutex_);
  is_down_ = false;
}

void StorageTwin::allow_operations(std::uint64_t operations) {
  const Guard guard(mutex_);
  operations_left_ = operations;
}

bool StorageTwin::has_overrun() const {
  const Guard guard(mutex_);
  return has_overrun_;
}

void StorageTwin::rename_now(const Names& change) {
  for (const auto& [path, file] : change) {
    if (file) {
      names_[path] = file;
    } else {
      names_.erase(path);
    }
  }
  unsynced_names_.push_back(change);
}

void StorageTwin::sync_names() {
  durable_names_ = names_;
  unsynced_names_.clear();
}

bool StorageTwin::exists(const std::string& path) const {
  const Guard guard(mutex_);
  return names_.contains(path);
}

int StorageTwin::rename(const std::string& from, const std::string& to) {
  const Guard guard(mutex_);
  if (const int code = pass(StorageOperation::rename, from); code != SQLITE_OK) return code;
  const auto found = names_.find(from);
  if (found == names_.end()) return SQLITE_NOTFOUND;
  if (from != to) rename_now({{from, nullptr}, {to, found->second}});
  return SQLITE_OK;
}

int StorageTwin::remove(const std::string& path) {
  return remove(path, false);
}

int StorageTwin::remove(const std::string& path, bool syncs_directory) {
  const Guard guard(mutex_);
  if (const int code = pass(StorageOperation::remove, path); code != SQLITE_OK) return code;
  if (!names_.contains(path)) return SQLITE_IOERR_DELETE_NOENT;
  rename_now({{path, nullptr}});
  if (syncs_directory && !ignores_syncs_) sync_names();
  return SQLITE_OK;
}

int StorageTwin::sync_directory() {
  const Guard guard(mutex_);
  if (const int code = pass(StorageOperation::sync, ""); code != SQLITE_OK) return code;
  if (!ignores_syncs_) sync_names();
  return SQLITE_OK;
}

int StorageTwin::write_again(const std::string& path) {
  const Guard guard(mutex_);
  if (const int code = pass(StorageOperation::write, path); code != SQLITE_OK) return code;
  const auto found = names_.find(path);
  if (found == names_.end()) return SQLITE_CANTOPEN;
  found->second->write(0, std::string(found->second->content()));
  return sync_file(*found->second, path);
}

int StorageTwin::make(const std::string& path) {
  const Guard guard(mutex_);
  if (is_down_) return SQLITE_IOERR;
  if (!names_.contains(path)) rename_now({{path, std::make_shared<TwinFile>()}});
  if (const int code = pass(StorageOperation::sync, path); code != SQLITE_OK) return code;
  if (!ignores_syncs_) sync_names();
  return SQLITE_OK;
}

int StorageTwin::write_start(const std::string& path, std::string_view bytes) {
  const Guard guard(mutex_);
  const Verdict verdict = judge(StorageOperation::write, path);
  if (const auto found = names_.find(path); found == names_.end()) {
    if (verdict.code == SQLITE_OK) return SQLITE_CANTOPEN;
  } else if (verdict.code == SQLITE_OK || verdict.is_torn) {
    const std::size_t torn_at = bytes.empty() ? 0 : random_.up_to(bytes.size() - 1);
    found->second->write(0, bytes.substr(0, verdict.is_torn ? torn_at : bytes.size()));
  }
  if (verdict.code != SQLITE_OK) return end(verdict);
  return sync_file(*names_.at(path), path);
}

std::uint64_t StorageTwin::file_id(const std::string& path) const {
  const Guard guard(mutex_);
  const auto found = names_.find(path);
  return found == names_.end() ? 0 : reinterpret_cast<std::uintptr_t>(found->second.get());
}

std::uint64_t StorageTwin::file_bytes(const std::string& path) const {
  const Guard guard(mutex_);
  const auto found = names_.find(path);
  return found == names_.end() ? 0 : found->second->content().size();
}

std::vector<std::string> StorageTwin::list() const {
  const Guard guard(mutex_);
  std::vector<std::string> paths;
  for (const auto& [path, file] : names_) paths.push_back(path);
  return paths;
}

std::string StorageTwin::content(const std::string& path) const {
  const Guard guard(mutex_);
  const auto found = names_.find(path);
  return found == names_.end() ? std::string() : found->second->content();
}

TwinFile& StorageTwin::file_for_test(const std::string& path) {
  if (!names_.contains(path)) rename_now({{path, std::make_shared<TwinFile>()}});
  sync_names();
  return *names_[path];
}

void StorageTwin::put(const std::string& path, std::string_view bytes) {
  const Guard guard(mutex_);
  TwinFile& file = file_for_test(path);
  file.resize(0);
  file.write(0, bytes);
  file.sync();
}

void StorageTwin::resize(const std::string& path, std::uint64_t bytes) {
  const Guard guard(mutex_);
  TwinFile& file = file_for_test(path);
  file.resize(bytes);
  file.sync();
}

void StorageTwin::overwrite(const std::string& path, std::size_t offset, std::string_view bytes) {
  const Guard guard(mutex_);
  TwinFile& file = file_for_test(path);
  file.write(offset, bytes);
  file.sync();
}

void StorageTwin::flip_bit(const std::string& path, std::size_t offset, unsigned bit) {
  const std::string before = content(path);
  overwrite(path, offset, std::string(1, static_cast<char>(before.at(offset) ^ (1 << bit))));
}

int StorageTwin::open(const std::string& path, int flags, std::unique_ptr<StorageHandle>& opened) {
  const Guard guard(mutex_);
  if (const int code = pass(StorageOperation::open, path); code != SQLITE_OK) return code;
  auto handle = std::make_unique<StorageHandle>();
  handle->path = path;
  handle->is_writable = (flags & SQLITE_OPEN_READWRITE) != 0;
  handle->is_removed_on_close = (flags & SQLITE_OPEN_DELETEONCLOSE) != 0;
  if (const auto found = names_.find(path); found != names_.end()) {
    if ((flags & SQLITE_OPEN_EXCLUSIVE) != 0) return SQLITE_CANTOPEN;
    handle->file = found->second;
  } else {
    if ((flags & SQLITE_OPEN_CREATE) == 0) return SQLITE_CANTOPEN;
    handle->file = std::make_shared<TwinFile>();
    if (!path.empty()) rename_now({{path, handle->file}});
  }
  constexpr int journals = SQLITE_OPEN_WAL | SQLITE_OPEN_MAIN_JOURNAL | SQLITE_OPEN_SUPER_JOURNAL;
  handle->syncs_directory = (flags & SQLITE_OPEN_CREATE) != 0 && (flags & journals) != 0;
  handles_.push_back(handle.get());
  opened = std::move(handle);
  return SQLITE_OK;
}

void StorageTwin::close(StorageHandle& handle) {
  const Guard guard(mutex_);
  if (handle.is_dead) return;
  std::erase(handles_, &handle);
  if (handle.is_removed_on_close && names_.contains(handle.path)) {
    rename_now({{handle.path, nullptr}});
  }
}

int StorageTwin::read(StorageHandle& handle, char* into, std::size_t bytes, std::size_t offset) {
  const Guard guard(mutex_);
  if (handle.is_dead) return SQLITE_IOERR_READ;
  const int code = pass(StorageOperation::read, handle.path);
  const bool is_short = code == SQLITE_IOERR_SHORT_READ && bytes > 0;
  if (code != SQLITE_OK && !is_short) return code;
  const std::string& content = handle.file->content();
  const std::size_t wanted = is_short ? random_.up_to(bytes - 1) : bytes;
  const std::size_t there = offset < content.size() ? content.copy(into, wanted, offset) : 0;
  if (there == bytes) return SQLITE_OK;
  std::memset(into + there, 0, bytes - there);
  return SQLITE_IOERR_SHORT_READ;
}

int StorageTwin::write(StorageHandle& handle, std::string_view bytes, std::size_t offset) {
  const Guard guard(mutex_);
  if (handle.is_dead) return SQLITE_IOERR_WRITE;
  if (!handle.is_writable) return SQLITE_READONLY;
  Verdict verdict = judge(StorageOperation::write, handle.path);
  std::size_t done = bytes.size();
  if (verdict.code != SQLITE_OK) {
    done = verdict.is_torn && !bytes.empty() ? random_.up_to(bytes.size() - 1) : 0;
  }
  const std::uint64_t disk_end_max =
      handle.file->content().size() + std::min<std::uint64_t>(free_now(), std::size_t{1} << 40);
  const std::uint64_t end_max = std::min(disk_end_max, file_bytes_max_);
  if (offset + done > end_max) {
    done = end_max - std::min<std::uint64_t>(end_max, offset);
    if (verdict.code == SQLITE_OK) {
      const int error = disk_end_max > file_bytes_max_ ? EFBIG : no_room_error_;
      verdict.code = error == 0 ? SQLITE_FULL : SQLITE_IOERR_WRITE;
      errno = error;
    }
  }
  handle.file->write(offset, bytes.substr(0, done));
  return end(verdict);
}

int StorageTwin::truncate(StorageHandle& handle, std::size_t bytes) {
  const Guard guard(mutex_);
  if (handle.is_dead) return SQLITE_IOERR_TRUNCATE;
  if (const int code = pass(StorageOperation::truncate, handle.path); code != SQLITE_OK) {
    return code;
  }
  handle.file->resize(bytes);
  return SQLITE_OK;
}

int StorageTwin::sync(StorageHandle& handle) {
  const Guard guard(mutex_);
  if (handle.is_dead) return SQLITE_IOERR_FSYNC;
  if (const int code = sync_file(*handle.file, handle.path); code != SQLITE_OK) return code;
  if (!ignores_syncs_ && std::exchange(handle.syncs_directory, false)) sync_names();
  return SQLITE_OK;
}

int StorageTwin::sync_file(TwinFile& file, const std::string& path) {
  const Verdict verdict = judge(StorageOperation::sync, path);
  if (verdict.code != SQLITE_OK) {
    if (!verdict.is_crash) file.fail_sync();
    return end(verdict);
  }
  if (!ignores_syncs_) file.sync();
  return SQLITE_OK;
}

int StorageTwin::size(StorageHandle& handle, std::size_t& bytes) {
  const Guard guard(mutex_);
  if (handle.is_dead) return SQLITE_IOERR_FSTAT;
  bytes = handle.file->content().size();
  return SQLITE_OK;
}

}  // namespace outrider::test
