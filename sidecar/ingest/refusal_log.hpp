// RefusalLog: tells the log of refused frames and events, once in a while and never one by one.
//
// Used by IngestAgent and ConfirmAgent, one each. Thread: one, with its agent. Borrows: the log.
#pragma once

#include <cstdint>

#include "proto/frame_reader.hpp"
#include "proto/refusal.hpp"
#include "sidecar/base/clock.hpp"
#include "sidecar/base/log.hpp"

namespace outrider::sidecar {

class RefusalLog {
 public:
  explicit RefusalLog(Log& log) : log_(log) {}

  void note(proto::Refusal refusal, const proto::FrameHeader& header, const Now& now);

 private:
  Log& log_;
  std::uint64_t untold_ = 0;
  MonoTime next_line_{};
};

}  // namespace outrider::sidecar
