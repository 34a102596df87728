#include "sidecar/ingest/refusal_log.hpp"

#include <string>
#include <utility>

#include <fmt/format.h>

#include "proto/msgpack_reader.hpp"
#include "proto/topic.hpp"
#include "sidecar/base/text.hpp"
#include "sidecar/ingest/value_text.hpp"

namespace outrider::sidecar {
namespace {

/// Element `index` of an event, or the event itself if it has no such element.
proto::ByteView element(proto::ByteView event, std::uint32_t index) {
  proto::MsgpackReader reader(event);
  proto::Token array;
  const bool has_element = reader.next(array) == proto::ReadStatus::ok &&
                           array.type == proto::TokenType::array && array.count > index &&
                           reader.skip_values(index) == proto::ReadStatus::ok;
  return has_element ? event.subspan(reader.offset()) : event;
}

bool is_topic(proto::ByteView value) {
  proto::MsgpackReader reader(value);
  proto::Token token;
  return reader.next(token) == proto::ReadStatus::ok && token.type == proto::TokenType::str &&
         proto::is_valid_topic(proto::as_text(token.bytes));
}

}  // namespace

std::string RefusalLog::text_of(proto::ByteView value) const {
  return hides_values_ ? value_kind(value) : value_text(value, value_bytes_max);
}

std::string RefusalLog::element_text(proto::ByteView event, std::uint32_t index) const {
  return text_of(element(event, index));
}

std::string RefusalLog::topic_text(proto::ByteView event) const {
  const proto::ByteView topic = element(event, 0);
  return is_topic(topic) ? value_text(topic, value_bytes_max) : text_of(topic);
}

/// `key: value`, or the value alone where it stands in no map.
std::string RefusalLog::broken_text(const proto::BrokenValue& broken) const {
  std::string text;
  if (!broken.key.empty()) text = printable(broken.key, value_bytes_max) + ": ";
  return text + text_of(broken.value);
}

/// What broke the rule.
std::string RefusalLog::value_of(proto::Refusal refusal, const proto::FrameReader& reader) const {
  const proto::ByteView event = reader.last_event();
  switch (refusal) {
    case proto::Refusal::frame_too_large:
      return std::to_string(reader.frame_bytes()) + " bytes";
    case proto::Refusal::event_too_large:
      return std::to_string(event.size()) + " bytes, topic " + topic_text(event);
    case proto::Refusal::frame_truncated:
    case proto::Refusal::frame_malformed:
    case proto::Refusal::frame_too_deep:
    case proto::Refusal::frame_trailing:
      return fmt::format("{} bytes, read to byte {}", reader.frame_bytes(), reader.checked_bytes());
    case proto::Refusal::frame_shape:
      return text_of(reader.frame());
    case proto::Refusal::frame_version:
    case proto::Refusal::frame_header:
      return broken_text(reader.broken());
    case proto::Refusal::frame_unnumbered:
      return fmt::format("c: {}, s: {}", reader.header().client_id.empty() ? "none" : "given",
                         reader.header().sequence);
    case proto::Refusal::event_shape:
      return text_of(event);
    case proto::Refusal::event_topic:
      return topic_text(event);
    case proto::Refusal::event_time:
      return element_text(event, 1);
    case proto::Refusal::event_attributes:
    case proto::Refusal::event_date:
      return broken_text(reader.broken()) + ", topic " + topic_text(event);
    case proto::Refusal::frame_refusals:
    case proto::Refusal::frame_copies:
      return fmt::format("{} events, {} bytes", reader.event_count(), reader.frame_bytes());
    default:
      return event.empty() ? "" : "topic " + topic_text(event);
  }
}

bool RefusalLog::is_due(Reason& reason, std::uint64_t events, const Now& now) {
  reason.unsaid += events;
  return reason.limit.take(now);
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
  log_.warn("an event's time is before the year 2000; the event was accepted unchanged",
            {{"because", "times are nanoseconds since 1970; this may be seconds or milliseconds"},
             {"value", value_text(element(reader.last_event(), 1), value_bytes_max)},
             {"topic", topic_text(reader.last_event())},
             {"library", std::string(reader.header().library)},
             {"pid", std::to_string(reader.header().pid)},
             {"since_last_line", std::to_string(std::exchange(reason.unsaid, 0))}});
}

}  // namespace outrider::sidecar
