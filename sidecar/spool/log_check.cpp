#include "sidecar/spool/log_check.hpp"

#include <optional>
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

/// `before`: of what lies in front of the frame.
bool is_sound(std::string_view frame, Checksum before, bool is_big) {
  before.add(frame.substr(0, 8), is_big);
  before.add(frame.substr(frame_head_bytes), is_big);
  return before == stored_at(frame, 16);
}

/// The mark that the frames of one log share; remains of an older log in the file have another.
struct LogKind {
  std::string salts;
  bool is_big = false;
};

/// Nothing: the head is damaged. One of zeroes has a checksum that is right.
std::optional<LogKind> kind_of_head(std::string_view head) {
  constexpr std::uint32_t magic = 0x377f0682;
  const bool is_big = (word(head, 0, true) & 1U) != 0;
  Checksum sum;
  sum.add(head.substr(0, 24), is_big);
  if ((word(head, 0, true) & ~1U) != magic || !(sum == stored_at(head, 24))) return std::nullopt;
  return LogKind{std::string(head.substr(16, 8)), is_big};
}

/// Stops at the first frame for which `look` answers false.
template <typename Look>
void for_each_frame(Disk& disk, const std::string& path, const Look& look) {
  for (std::uint64_t at = head_bytes;; at += frames_at_once * frame_bytes) {
    const std::string frames = disk.read(path, at, frames_at_once * frame_bytes);
    for (std::size_t i = 0; i + frame_bytes <= frames.size(); i += frame_bytes) {
      if (!look(std::string_view(frames).substr(i, frame_bytes))) return;
    }
    if (frames.size() < frames_at_once * frame_bytes) return;
  }
}

/// The kind of the first sound frame: remains of an older log come after it.
std::optional<LogKind> kind_of_frames(Disk& disk, const std::string& path, Checksum before,
                                      bool& has_frames) {
  std::optional<LogKind> kind;
  for_each_frame(disk, path, [&](std::string_view frame) {
    if (frame.find_first_not_of('\0') == std::string_view::npos) {
      // Zeroes continue zeroes.
      before = {};
      return true;
    }
    has_frames = true;
    for (const bool is_big : {false, true}) {
      if (!kind && is_sound(frame, before, is_big))
        kind = {std::string(frame.substr(8, 8)), is_big};
    }
    before = stored_at(frame, 16);
    return !kind;
  });
  return kind;
}

}  // namespace

LogDamage check_write_ahead_log(Disk& disk, const std::string& path) {
  const std::string head = disk.read(path, 0, head_bytes);
  if (head.size() < head_bytes) return {};
  std::optional<LogKind> kind = kind_of_head(head);
  bool is_behind = !kind;
  LogDamage damage;
  if (!kind) kind = kind_of_frames(disk, path, stored_at(head, 24), damage.is_damaged);
  if (!kind) return damage;
  Checksum before = stored_at(head, 24);
  for_each_frame(disk, path, [&](std::string_view frame) {
    // The end, followed by remains of an older log; or damage, followed by frames of this one.
    const bool is_whole =
        frame.substr(8, 8) == kind->salts && is_sound(frame, before, kind->is_big);
    const bool is_commit = word(frame, 4, true) != 0;
    if (is_behind && is_whole && is_commit) ++damage.transactions;
    is_behind = is_behind || !is_whole;
    before = stored_at(frame, 16);
    return true;
  });
  damage.is_damaged = damage.is_damaged || damage.transactions > 0;
  return damage;
}

}  // namespace outrider::sidecar
