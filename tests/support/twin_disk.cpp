#include "support/twin_disk.hpp"

#include <algorithm>
#include <cerrno>

#include <sqlite3.h>

#include "sidecar/spool/database.hpp"

namespace outrider::test {
namespace {

template <typename Action>
void check(const Action& action, const std::string& failure) {
  errno = 0;
  if (const int code = action(); code != SQLITE_OK) {
    throw sidecar::SqliteError(code, errno, failure);
  }
}

}  // namespace

void TwinDisk::prepare(const std::string& path) {
  check([&] { return twin_.make(path); }, "cannot make " + path);
}

bool TwinDisk::take_reserve(const std::string& path, std::uint64_t bytes) {
  const std::string reserve = sidecar::reserve_path(path);
  if (twin_.is_down()) return false;
  const std::uint64_t there = twin_.exists(reserve) ? twin_.file_bytes(reserve) : 0;
  if (there >= bytes) return true;
  if (twin_.free_bytes() < bytes - there || bytes > twin_.file_bytes_max()) return false;
  twin_.resize(reserve, bytes);
  return true;
}

bool TwinDisk::give_back_reserve(const std::string& path, std::uint64_t bytes) {
  const std::string reserve = sidecar::reserve_path(path);
  if (twin_.is_down() || !twin_.exists(reserve)) return false;
  const std::uint64_t there = twin_.file_bytes(reserve);
  if (there <= bytes) return twin_.remove(reserve) == SQLITE_OK;
  twin_.resize(reserve, there - bytes);
  return true;
}

std::optional<sidecar::FileMark> TwinDisk::look_at(const std::string& path) {
  const std::uint64_t id = twin_.file_id(path);
  if (id == 0) return std::nullopt;
  return sidecar::FileMark{.id = id, .bytes = twin_.file_bytes(path)};
}

void TwinDisk::write_again(const std::string& path) {
  check([&] { return twin_.write_again(path); }, "cannot write " + path);
}

std::string TwinDisk::read(const std::string& path, std::uint64_t offset, std::size_t bytes) {
  const std::string content = twin_.content(path);
  return content.substr(std::min<std::size_t>(offset, content.size()), bytes);
}

void TwinDisk::write_start(const std::string& path, const std::string& bytes) {
  check([&] { return twin_.write_start(path, bytes); }, "cannot write " + path);
}

void TwinDisk::rename(const std::string& from, const std::string& to) {
  const auto rename = [&] {
    const int code = twin_.rename(from, to);
    return code == SQLITE_NOTFOUND ? SQLITE_OK : code;
  };
  check(rename, "cannot rename " + from + " to " + to);
  twin_.sync_directory();
}

}  // namespace outrider::test
