// RecordMaker: makes records from the events of a checked frame.
//
// Used by IngestAgent and ConfirmAgent, one each. Thread: one, with its agent. Owns: scratch space;
// the record is valid until the next call.
#pragma once

#include <cstdint>
#include <vector>

#include "proto/frame_reader.hpp"
#include "sidecar/base/record.hpp"
#include "sidecar/base/uuid.hpp"

namespace outrider::sidecar {

/// An event that was taken in.
struct ArrivedEvent {
  proto::ByteView record{};
  std::string_view topic{};
  std::uint64_t due_ns = 0;     ///< not before, since the Unix epoch; 0: at once
  bool is_before_2000 = false;  ///< its time, which may be in another unit than nanoseconds
};

class RecordMaker {
 public:
  explicit RecordMaker(std::uint64_t seed) : ids_(seed) {}

  /// The next event of the frame that `reader` has opened. `can_wait`: it may have a later date.
  proto::Refusal next(proto::FrameReader& reader, bool can_wait, const Now& now,
                      ArrivedEvent& event);

 private:
  UuidGenerator ids_;
  std::vector<std::uint8_t> record_;
};

}  // namespace outrider::sidecar
