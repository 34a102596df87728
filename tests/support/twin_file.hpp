// One file of the storage twin: what a reader sees, and what would be left after a loss of power.
//
// Used by StorageTwin only, under its lock. Plain memory; nothing fails.
//
// The model is a disk that writes 512-byte sectors, under a page cache and a journaling file system
// that journals sizes but not data (ext4 with data=ordered or writeback, XFS). Until a sync:
// - each sector is on the disk as it was after any one of the writes to it, independently of every
//   other sector: the cache writes back when and in what order it likes, but never an older state
//   over a newer one;
// - one sector of the file may be torn: the first part is newer than the rest. Bytes that were not
//   written never change, which is what SQLITE_IOCAP_POWERSAFE_OVERWRITE says;
// - sizes reach the disk in their order, but apart from the data: a file may have grown over
// sectors
//   that were never written, which are zeroes then, or lack its tail. What was cut off by a
//   truncation that reached the disk does not come back.
//
// A sync that fails is Linux's: the pages count as clean from then on, so that the next sync, which
// succeeds, does not write them. Only what is written again becomes safe.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <random>
#include <string>
#include <string_view>
#include <vector>

namespace outrider::test {

/// The seeded source of everything that is left to chance.
class TwinRandom {
 public:
  explicit TwinRandom(std::uint64_t seed) : engine_(seed) {}

  /// From 0 to `most`, both included.
  std::size_t up_to(std::size_t most) { return static_cast<std::size_t>(engine_() % (most + 1)); }

 private:
  std::mt19937_64 engine_;
};

class TwinFile {
 public:
  static constexpr std::size_t sector_bytes = 512;

  const std::string& content() const { return content_; }

  void write(std::size_t offset, std::string_view bytes);
  void resize(std::size_t bytes);
  void sync();
  void fail_sync();

  /// The content becomes what the disk happens to hold; that is synced.
  void lose_power(TwinRandom& random);

 private:
  /// A sector as it was after a write; bytes that are missing are zeroes.
  struct Version {
    std::uint64_t time;
    bool is_cut;  ///< by a truncation
    std::string bytes;
  };
  struct Size {
    std::uint64_t time;
    std::size_t bytes;
  };
  struct Fate;

  void remember(std::size_t begin, std::size_t end, bool is_cut);
  std::string surviving_sector(std::size_t sector, const std::vector<Version>& versions,
                               const Fate& fate, bool is_torn, TwinRandom& random) const;

  std::string content_;
  std::string durable_;
  std::uint64_t time_ = 0;         ///< counts the changes
  std::uint64_t failed_time_ = 0;  ///< of the last change before a failed sync
  std::map<std::size_t, std::vector<Version>> unsynced_;
  std::vector<Size> sizes_;  ///< since the last sync
};

}  // namespace outrider::test
