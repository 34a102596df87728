#include "support/twin_file.hpp"

#include <algorithm>
#include <utility>

namespace outrider::test {

namespace {

constexpr std::size_t sector_bytes = TwinFile::sector_bytes;

std::string sector_of(const std::string& content, std::size_t sector) {
  return content.substr(std::min(content.size(), sector * sector_bytes), sector_bytes);
}

void put_sector(std::string& content, std::size_t sector, std::string bytes) {
  bytes.resize(sector_bytes);
  const std::size_t begin = sector * sector_bytes;
  if (content.size() < begin + sector_bytes) content.resize(begin + sector_bytes);
  content.replace(begin, sector_bytes, bytes);
}

}  // namespace

/// What was decided for the whole file about a loss of power.
struct TwinFile::Fate {
  enum class Kind : std::uint8_t { nothing, everything, in_order, scattered };
  Kind kind;
  std::uint64_t time;       ///< in_order: of the last change that reached the disk
  std::uint64_t size_time;  ///< of the last change of size that did
};

void TwinFile::remember(std::size_t begin, std::size_t end, bool is_cut) {
  for (std::size_t sector = begin / sector_bytes; sector * sector_bytes < end; ++sector) {
    unsynced_[sector].push_back({time_, is_cut, sector_of(content_, sector)});
  }
}

void TwinFile::write(std::size_t offset, std::string_view bytes) {
  if (bytes.empty()) return;
  ++time_;
  const std::size_t end = offset + bytes.size();
  if (end > content_.size()) {
    content_.resize(end);
    sizes_.push_back({time_, end});
  }
  content_.replace(offset, bytes.size(), bytes);
  remember(offset, end, false);
}

void TwinFile::resize(std::size_t bytes) {
  const std::size_t before = content_.size();
  if (bytes == before) return;
  ++time_;
  content_.resize(bytes);
  sizes_.push_back({time_, bytes});
  if (bytes < before) remember(bytes, before, true);
}

void TwinFile::sync() {
  for (auto it = unsynced_.begin(); it != unsynced_.end();) {
    auto& [sector, versions] = *it;
    if (versions.back().time > failed_time_) {
      put_sector(durable_, sector, sector_of(content_, sector));
      it = unsynced_.erase(it);
      continue;
    }
    // Truncations are the journal's business, which the failure of a data page does not concern.
    const auto cut = std::find_if(versions.rbegin(), versions.rend(),
                                  [](const Version& version) { return version.is_cut; });
    if (cut != versions.rend()) put_sector(durable_, sector, cut->bytes);
    versions.erase(versions.begin(), cut.base());
    it = versions.empty() ? unsynced_.erase(it) : std::next(it);
  }
  durable_.resize(content_.size());
  sizes_.clear();
}

void TwinFile::fail_sync() {
  failed_time_ = time_;
}

std::string TwinFile::surviving_sector(std::size_t sector, const std::vector<Version>& versions,
                                       const Fate& fate, bool is_torn, TwinRandom& random) const {
  std::size_t lowest = 0;
  std::size_t highest = versions.size();
  for (std::size_t i = 0; i < versions.size(); ++i) {
    if (!versions[i].is_cut) continue;
    if (versions[i].time > fate.size_time) {
      highest = i;
      break;
    }
    lowest = i + 1;
  }
  std::size_t count = 0;  // of the writes that reached the disk
  switch (fate.kind) {
    case Fate::Kind::nothing:
      count = lowest;
      break;
    case Fate::Kind::everything:
      count = highest;
      break;
    case Fate::Kind::in_order:
      while (count < versions.size() && versions[count].time <= fate.time) ++count;
      count = std::clamp(count, lowest, highest);
      break;
    case Fate::Kind::scattered:
      count = lowest + random.up_to(highest - lowest);
      break;
  }
  std::string bytes = count == 0 ? sector_of(durable_, sector) : versions[count - 1].bytes;
  if (is_torn && count < highest) {
    std::string newer = versions[count].bytes;
    bytes.resize(sector_bytes);
    newer.resize(sector_bytes);
    const std::size_t torn_at = random.up_to(sector_bytes);
    bytes.replace(0, torn_at, newer, 0, torn_at);
  }
  return bytes;
}

void TwinFile::lose_power(TwinRandom& random) {
  Fate fate{static_cast<Fate::Kind>(random.up_to(3)), random.up_to(time_), 0};
  std::size_t sizes_kept = 0;
  switch (fate.kind) {
    case Fate::Kind::nothing:
      break;
    case Fate::Kind::everything:
      sizes_kept = sizes_.size();
      break;
    case Fate::Kind::in_order:
      while (sizes_kept < sizes_.size() && sizes_[sizes_kept].time <= fate.time) ++sizes_kept;
      break;
    case Fate::Kind::scattered:
      sizes_kept = random.up_to(sizes_.size());
      break;
  }
  if (sizes_kept > 0) fate.size_time = sizes_[sizes_kept - 1].time;
  const std::size_t size = sizes_kept > 0 ? sizes_[sizes_kept - 1].bytes : durable_.size();

  std::string left = durable_;
  std::size_t until_torn = random.up_to(2 * unsynced_.size());
  for (const auto& [sector, versions] : unsynced_) {
    const bool is_torn = until_torn-- == 0;
    put_sector(left, sector, surviving_sector(sector, versions, fate, is_torn, random));
  }
  left.resize(size);
  content_ = left;
  durable_ = std::move(left);
  unsynced_.clear();
  sizes_.clear();
}

}  // namespace outrider::test
