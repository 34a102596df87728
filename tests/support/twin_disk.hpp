// A Disk over the storage twin, as open_disk() is one over the machine's file system.
//
// Used by tests of the spool and by the simulation. Thread: any, as the twin. Borrows: the twin.
// Fails as the twin is told to.
#pragma once

#include <memory>
#include <string>

#include "sidecar/spool/disk.hpp"
#include "support/storage_twin.hpp"

namespace outrider::test {

class TwinDisk final : public sidecar::Disk {
 public:
  explicit TwinDisk(StorageTwin& twin) : twin_(twin) {}

  std::string vfs() const override { return twin_.vfs_name(); }
  void prepare(const std::string& path) override;
  /// There is one process only.
  void lock(const std::string&) override {}
  std::uint64_t free_bytes(const std::string&) override { return twin_.free_bytes(); }
  std::uint64_t file_bytes_max() override { return twin_.file_bytes_max(); }
  bool take_reserve(const std::string& path, std::uint64_t bytes) override;
  bool give_back_reserve(const std::string& path, std::uint64_t bytes) override;
  std::optional<sidecar::FileMark> look_at(const std::string& path) override;
  void write_again(const std::string& path) override;
  void rename(const std::string& from, const std::string& to) override;
  void remove(const std::string& path) override { twin_.remove(path); }
  std::string read(const std::string& path, std::uint64_t offset, std::size_t bytes) override;
  void write_start(const std::string& path, const std::string& bytes) override;
  void check_files_can_be_made(const std::string&) override {}
  void wait(sidecar::Duration) override {}

 private:
  StorageTwin& twin_;
};

}  // namespace outrider::test
