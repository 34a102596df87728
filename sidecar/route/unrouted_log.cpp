#include "sidecar/route/unrouted_log.hpp"

#include <utility>

namespace outrider::sidecar {

void UnroutedLog::note(std::string_view topic, const Now& now) {
  if (named_.contains(topic)) return;
  if (named_.size() < topics_max) {
    named_.emplace(topic);
    log_.warn(
        "no destination takes this topic; its events are accepted or refused as "
        "ingest.unrouted says, and go nowhere",
        {{"topic", std::string(topic)}});
    return;
  }
  ++unsaid_;
  if (!more_limit_.take(now)) return;
  log_.warn("no destination takes the topics of more events; they are too many to be named",
            {{"events", std::to_string(std::exchange(unsaid_, 0))}, {"topic", std::string(topic)}});
}

}  // namespace outrider::sidecar
