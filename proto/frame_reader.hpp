// FrameReader: checks one frame completely, then hands out its events.
//
// Used by ingest. `open` walks every byte of the frame once and remembers where the events are;
// nothing in the frame counts before it has returned Refusal::none. `next` then gives the events
// one by one; an event that breaks a rule is refused alone.
//
// Thread: one reader, one thread. Owns: scratch space that is reused from frame to frame, so that
// steady state allocates nothing, and given back after a frame of very many events; the views point
// into the frame. Fails with: proto::Refusal.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string_view>
#include <vector>

#include "proto/bytes.hpp"
#include "proto/event.hpp"
#include "proto/msgpack_reader.hpp"
#include "proto/refusal.hpp"

namespace outrider::proto {

inline constexpr std::uint64_t frame_version = 1;
inline constexpr std::size_t client_id_bytes = 16;

struct FrameLimits {
  std::size_t frame_bytes_max;
  std::size_t event_bytes_max;
};

/// The sender's description of itself. Empty views and zeros mean "not given".
struct FrameHeader {
  ByteView client_id{};        ///< "c", 16 bytes
  std::uint64_t sequence = 0;  ///< "s", from 1
  std::string_view host{};     ///< "h", at most host_bytes_max
  std::uint64_t pid = 0;       ///< "p"
  std::string_view library{};  ///< "l"
  ByteView drops{};            ///< "d": a msgpack map of reason -> events
};

/// The value that broke a rule, as it is in the frame, and its key if it is in a map.
struct BrokenValue {
  std::string_view key{};
  ByteView value{};
};

class FrameReader {
 public:
  explicit FrameReader(FrameLimits limits) : limits_(limits) {}

  /// Checks the whole frame. The views given out later are valid as long as `frame`.
  [[nodiscard]] Refusal open(ByteView frame);

  const FrameHeader& header() const { return header_; }
  std::size_t event_count() const { return spans_.size(); }

  /// Gives the next event of an opened frame and whether it is refused; call event_count() times.
  [[nodiscard]] Refusal next(EventView& event);

  /// All the bytes of the event that next() gave last; empty before the first.
  ByteView last_event() const;
  ByteView frame() const { return frame_; }
  std::size_t frame_bytes() const { return frame_.size(); }

  /// Of the refusal that open() or next() gave last; empty where no single value is to blame.
  const BrokenValue& broken() const { return broken_; }
  /// How far open() came: near the byte that refused a frame that cannot be read to its end.
  std::size_t checked_bytes() const { return checked_bytes_; }

  /// Memory that is held from frame to frame.
  std::size_t scratch_bytes() const { return spans_.capacity() * sizeof(Span); }

 private:
  /// The offsets of an event's parts in the frame. A malformed event has no data, which always
  /// takes at least a byte. The event ends where the next one begins.
  struct Span {
    std::uint32_t begin;
    std::uint32_t data;
    std::uint32_t data_end;
  };

  Refusal check(MsgpackReader& reader);
  Refusal read_head(MsgpackReader& reader);
  Refusal read_header(MsgpackReader& reader);
  Refusal read_spans(MsgpackReader& reader);
  std::size_t end_of(std::size_t span) const {
    return span + 1 < spans_.size() ? spans_[span + 1].begin : std::size_t{events_end_};
  }

  FrameLimits limits_;
  ByteView frame_{};
  FrameHeader header_{};
  std::vector<Span> spans_;
  std::uint32_t events_end_ = 0;
  std::size_t next_span_ = 0;
  BrokenValue broken_{};
  std::size_t checked_bytes_ = 0;
};

/// Calls `visit(reason, events)` for every entry of FrameHeader::drops.
void for_each_drop(ByteView drops,
                   const std::function<void(std::string_view, std::uint64_t)>& visit);

}  // namespace outrider::proto
