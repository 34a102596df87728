#include "sidecar/ingest/refusal_log.hpp"

#include <string>
#include <utility>

#include <fmt/format.h>

#include "proto/msgpack_reader.hpp"
#include "sidecar/base/text.hpp"
#include "sidecar/ingest/value_text.hpp"

namespace outrider::sidecar {
namespace {

constexpr Duration interval = std::chrono::seconds(10);

/// Element `index` of an event, or the event itself if it has no such element.
std::string element_text(proto::ByteView event, std::uint32_t index) {
  proto::MsgpackReader reader(event);
  proto::Token array;
  const bool has_element = reader.next(array) == proto::ReadStatus::ok &&
                           array.type == proto::TokenType::array && array.count > index &&
                           reader.skip_values(index) == proto::ReadStatus::ok;
  const proto::ByteView value = has_element ? event.subspan(reader.offset()) : event;
  return value_text(value, RefusalLog::value_bytes_max);
}

/// `key: value`, or the value alone where it stands in no map.
std::string broken_text(const proto::BrokenValue& broken) {
  std::string text;
  if (!broken.key.empty()) text = printable(broken.key, RefusalLog::value_bytes_max) + ": ";
  return text + value_text(broken.value, RefusalLog::value_bytes_max);
}

/// What broke the rule.
std::string value_of(proto::Refusal refusal, const proto::FrameReader& reader) {
  const proto::ByteView event = reader.last_event();
  switch (refusal) {
    case proto::Refusal::frame_too_large:
      return std::to_string(reader.frame_bytes()) + " bytes";
    case proto::Refusal::event_too_large:
      return std::to_string(event.size()) + " bytes, topic " + element_text(event, 0);
    case proto::Refusal::frame_truncated:
    case proto::Refusal::frame_malformed:
    case proto::Refusal::frame_too_deep:
    case proto::Refusal::frame_trailing:
      return fmt::format("{} bytes, read to byte {}", reader.frame_bytes(), reader.checked_bytes());
    case proto::Refusal::frame_shape:
      return value_text(reader.frame(), RefusalLog::value_bytes_max);
    case proto::Refusal::frame_version:
    case proto::Refusal::frame_header:
      return broken_text(reader.broken());
    case proto::Refusal::frame_unnumbered:
      return fmt::format("c: {}, s: {}", reader.header().client_id.empty() ? "none" : "given",
                         reader.header().sequence);
    case proto::Refusal::event_shape:
      return value_text(event, RefusalLog::value_bytes_max);
    case proto::Refusal::event_topic:
      return element_text(event, 0);
    case proto::Refusal::event_time:
      return element_text(event, 1);
    case proto::Refusal::event_attributes:
    case proto::Refusal::event_date:
      return broken_text(reader.broken()) + ", topic " + element_text(event, 0);
    case proto::Refusal::frame_refusals:
    case proto::Refusal::frame_copies:
      return fmt::format("{} events, {} bytes", reader.event_count(), reader.frame_bytes());
    default:
      return event.empty() ? "" : "topic " + element_text(event, 0);
  }
}

}  // namespace

bool RefusalLog::is_due(Reason& reason, std::uint64_t events, const Now& now) {
  reason.unsaid += events;
  if (now.mono < reason.next_line) return false;
  reason.next_line = now.mono + interval;
  return true;
}

void RefusalLog::note(proto::Refusal refusal, const proto::FrameReader& reader, const Now& now,
                      std::string_view destination, std::uint64_t events) {
  Reason& reason = reasons_[static_cast<std::size_t>(refusal) % reasons_.size()];
  if (!is_due(reason, events, now)) return;
  const proto::RefusalRow row = proto::describe(refusal);
  std::string value = value_of(refusal, reader);
  if (!destination.empty()) value += ", destination " + std::string(destination);
  log_.warn("refused", {{"reason", std::string(row.name)},
                        {"because", std::string(row.sentence)},
                        {"value", std::move(value)},
                        {"library", std::string(reader.header().library)},
                        {"pid", std::to_string(reader.header().pid)},
                        {"since_last_line", std::to_string(std::exchange(reason.unsaid, 0))}});
}

void RefusalLog::note_early_time(const proto::FrameReader& reader, const Now& now) {
  Reason& reason = reasons_[0];
  if (!is_due(reason, 1, now)) return;
  log_.warn("an event's time is before the year 2000; it was taken as it is",
            {{"because", "times are nanoseconds since 1970; this may be seconds or milliseconds"},
             {"value", element_text(reader.last_event(), 1)},
             {"topic", element_text(reader.last_event(), 0)},
             {"library", std::string(reader.header().library)},
             {"pid", std::to_string(reader.header().pid)},
             {"since_last_line", std::to_string(std::exchange(reason.unsaid, 0))}});
}

}  // namespace outrider::sidecar
