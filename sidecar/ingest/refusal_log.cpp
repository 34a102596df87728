#include "sidecar/ingest/refusal_log.hpp"

#include <string>

namespace outrider::sidecar {
namespace {

constexpr Duration interval = std::chrono::seconds(10);

}  // namespace

void RefusalLog::note(proto::Refusal refusal, const proto::FrameHeader& header, const Now& now) {
  ++untold_;
  if (now.mono < next_line_) return;
  const proto::RefusalRow row = proto::describe(refusal);
  log_.warn("refused", {{"reason", std::string(row.name)},
                        {"because", std::string(row.sentence)},
                        {"library", std::string(header.library)},
                        {"pid", std::to_string(header.pid)},
                        {"since_last_line", std::to_string(untold_)}});
  untold_ = 0;
  next_line_ = now.mono + interval;
}

}  // namespace outrider::sidecar
