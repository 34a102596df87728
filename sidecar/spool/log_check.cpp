#include "sidecar/spool/log_check.hpp"

#include <string_view>

#include "proto/bytes.hpp"
#include "sidecar/spool/store.hpp"

namespace outrider::sidecar {
namespace {

// sqlite.org/fileformat2.html, the write-ahead log.
constexpr std::size_t head_bytes = 32;
constexpr std::size_t frame_head_bytes = 24;
constexpr std::size_t frame_bytes = frame_head_bytes + Store::page_bytes;
constexpr std::size_t frames_at_once = 256;

std::uint32_t word(std::string_view bytes, std::size_t at, bool is_big) {
  const auto value = static_cast<std::uint32_t>(proto::big_endian(bytes.substr(at, 4)));
  return is_big ? value : __builtin_bswap32(value);
}

struct Checksum {
  std::uint32_t first = 0;
  std::uint32_t second = 0;
  bool operator==(const Checksum&) const = default;

  void add(std::string_view bytes, bool is_big) {
    for (std::size_t at = 0; at < bytes.size(); at += 8) {
      first += word(bytes, at, is_big) + second;
      second += word(bytes, at + 4, is_big) + first;
    }
  }
};

Checksum stored_at(std::string_view bytes, std::size_t at) {
  return {word(bytes, at, true), word(bytes, at + 4, true)};
}

}  // namespace

std::uint64_t transactions_behind_damage(Disk& disk, const std::string& path) {
  const std::string head = disk.read(path, 0, head_bytes);
  if (head.size() < head_bytes) return 0;
  const bool is_big = (word(head, 0, true) & 1U) != 0;
  std::string salts = head.substr(16, 8);
  Checksum before;
  before.add(std::string_view(head).substr(0, 24), is_big);
  bool is_damaged = !(before == stored_at(head, 24));
  before = stored_at(head, 24);
  // Those of a head that is damaged may be wrong.
  if (is_damaged) salts = disk.read(path, head_bytes + 8, 8);
  std::uint64_t found = 0;
  for (std::uint64_t at = head_bytes;; at += frames_at_once * frame_bytes) {
    const std::string frames = disk.read(path, at, frames_at_once * frame_bytes);
    for (std::size_t i = 0; i + frame_bytes <= frames.size(); i += frame_bytes) {
      const std::string_view frame = std::string_view(frames).substr(i, frame_bytes);
      if (frame.substr(8, 8) != salts) {
        // The end, followed by remains of an older log; or damage, followed by frames of this one.
        is_damaged = true;
        before = stored_at(frame, 16);
        continue;
      }
      before.add(frame.substr(0, 8), is_big);
      before.add(frame.substr(frame_head_bytes), is_big);
      const bool is_sound = before == stored_at(frame, 16);
      const bool is_commit = word(frame, 4, true) != 0;
      if (is_damaged && is_sound && is_commit) ++found;
      is_damaged = is_damaged || !is_sound;
      before = stored_at(frame, 16);
    }
    if (frames.size() < frames_at_once * frame_bytes) return found;
  }
}

}  // namespace outrider::sidecar
