#include "proto/frame_reader.hpp"

#include "proto/confirm.hpp"
#include "proto/topic.hpp"

namespace outrider::proto {
namespace {

constexpr std::size_t library_bytes_max = 255;
/// `["a", 0, nil]`
constexpr std::size_t event_bytes_min = 5;
constexpr std::size_t scratch_bytes_kept_max = 256 * 1024;

Refusal frame_refusal(ReadStatus status) {
  switch (status) {
    case ReadStatus::ok:
      return Refusal::none;
    case ReadStatus::end:
    case ReadStatus::truncated:
      return Refusal::frame_truncated;
    case ReadStatus::invalid:
      return Refusal::frame_malformed;
    case ReadStatus::too_deep:
      return Refusal::frame_too_deep;
  }
  return Refusal::frame_malformed;
}

bool take_text(const Token& token, std::size_t bytes_max, std::string_view& out) {
  if (token.type != TokenType::str || token.bytes.size() > bytes_max) return false;
  out = as_text(token.bytes);
  return true;
}

bool take_uint(const Token& token, std::uint64_t& out) {
  if (token.type != TokenType::uint) return false;
  out = token.uint;
  return true;
}

bool is_drop_map(ByteView map) {
  MsgpackReader reader(map);
  Token token;
  if (reader.next(token) != ReadStatus::ok || token.type != TokenType::map) return false;
  for (std::uint32_t left = token.count; left > 0; --left) {
    if (reader.next(token) != ReadStatus::ok || token.type != TokenType::str) return false;
    if (reader.next(token) != ReadStatus::ok || token.type != TokenType::uint) return false;
  }
  return true;
}

bool set_header_field(std::string_view key, const Token& value, ByteView raw, FrameHeader& header) {
  if (key == "c") {
    header.client_id = value.bytes;
    return value.type == TokenType::bin && value.bytes.size() == client_id_bytes;
  }
  if (key == "s") return take_uint(value, header.sequence);
  if (key == "h") return take_text(value, host_bytes_max, header.host);
  if (key == "p") return take_uint(value, header.pid);
  if (key == "l") return take_text(value, library_bytes_max, header.library);
  if (key == "d") {
    header.drops = raw;
    return is_drop_map(raw);
  }
  return true;  // unknown keys are ignored
}

bool set_id(const Token& value, Attributes& attributes) {
  attributes.id = value.bytes;
  attributes.id_is_text = value.type == TokenType::str;
  if (!attributes.id_is_text) {
    return value.type == TokenType::bin && value.bytes.size() == id_binary_bytes;
  }
  return is_id_text(as_text(value.bytes));
}

bool set_priority(const Token& value, Attributes& attributes) {
  if (value.type != TokenType::uint || value.uint > 2) return false;
  attributes.priority = static_cast<Priority>(value.uint);
  return true;
}

bool set_known_attribute(std::string_view key, const Token& value, Attributes& attributes) {
  if (key == "id") return set_id(value, attributes);
  if (key == "key") return take_text(value, key_bytes_max, attributes.key);
  if (key == "at") return take_uint(value, attributes.at_ns);
  if (key == "ttl") return take_uint(value, attributes.ttl_ms);
  if (key == "pri") return set_priority(value, attributes);
  if (key == "trace") return take_text(value, trace_bytes_max, attributes.trace);
  return true;  // unknown keys are ignored
}

Refusal set_attribute(std::string_view key, const Token& value, Attributes& attributes) {
  if (!set_known_attribute(key, value, attributes)) return Refusal::event_attributes;
  // Accepted unchanged, the event would be sent at once, which is worse than a refusal, because
  // nobody can recall it.
  const bool is_date = key == "at" && attributes.at_ns != 0;
  return is_date && attributes.at_ns < year_2000_ns ? Refusal::event_date : Refusal::none;
}

/// Reads the map at which `reader` is, one pair at a time, and calls `visit(key, value, raw_value)`
/// for each key that is a str. `buffer` is the input of `reader`. Returns `bad` if it is not a map,
/// or the refusal of `visit`, and then sets `broken`.
template <typename Visit>
Refusal read_map(MsgpackReader& reader, ByteView buffer, Refusal bad, BrokenValue& broken,
                 const Visit& visit) {
  const std::size_t begin = reader.offset();
  Token map;
  ReadStatus status = reader.next(map);
  if (status != ReadStatus::ok) return frame_refusal(status);
  if (map.type != TokenType::map) {
    broken.value = buffer.subspan(begin);
    return bad;
  }
  for (std::uint32_t left = map.count; left > 0; --left) {
    const std::size_t key_at = reader.offset();
    status = reader.skip_value();
    if (status != ReadStatus::ok) return frame_refusal(status);
    const std::size_t value_at = reader.offset();
    status = reader.skip_value();
    if (status != ReadStatus::ok) return frame_refusal(status);

    const ByteView raw_value = buffer.subspan(value_at, reader.offset() - value_at);
    MsgpackReader key_reader(buffer.subspan(key_at));
    MsgpackReader value_reader(raw_value);
    Token key;
    Token value;
    // Both were just walked over: they can be read, if only as the head of a container.
    if (key_reader.next(key) != ReadStatus::ok || value_reader.next(value) != ReadStatus::ok) {
      return bad;
    }
    if (key.type != TokenType::str) continue;
    const Refusal refusal = visit(as_text(key.bytes), value, raw_value);
    if (refusal == Refusal::none) continue;
    broken = {as_text(key.bytes), raw_value};
    return refusal;
  }
  return Refusal::none;
}

}  // namespace

Refusal FrameReader::open(ByteView frame) {
  frame_ = frame;
  header_ = {};
  spans_.clear();
  if (scratch_bytes() > scratch_bytes_kept_max) spans_.shrink_to_fit();
  next_span_ = 0;
  broken_ = {};
  MsgpackReader reader(frame);
  const Refusal refusal = check(reader);
  checked_bytes_ = reader.offset();
  if (refusal != Refusal::none) spans_.clear();
  return refusal;
}

Refusal FrameReader::check(MsgpackReader& reader) {
  Refusal refusal = read_head(reader);
  // Only now, because the header names the client that waits for an answer. Spans hold 32-bit
  // offsets.
  if (frame_.size() > limits_.frame_bytes_max || frame_.size() > UINT32_MAX) {
    return Refusal::frame_too_large;
  }
  if (refusal == Refusal::none) refusal = read_spans(reader);
  if (refusal == Refusal::none && !reader.at_end()) refusal = Refusal::frame_trailing;
  return refusal;
}

/// Everything before the events.
Refusal FrameReader::read_head(MsgpackReader& reader) {
  Token token;
  ReadStatus status = reader.next(token);
  if (status != ReadStatus::ok) return frame_refusal(status);
  if (token.type != TokenType::array || token.count == 0) return Refusal::frame_shape;
  const std::uint32_t element_count = token.count;

  const std::size_t version_at = reader.offset();
  status = reader.next(token);
  if (status != ReadStatus::ok) return frame_refusal(status);
  if (token.type != TokenType::uint) return Refusal::frame_shape;
  if (token.uint != frame_version) {
    broken_.value = frame_.subspan(version_at, reader.offset() - version_at);
    return Refusal::frame_version;
  }
  if (element_count != 3) return Refusal::frame_shape;
  return read_header(reader);
}

Refusal FrameReader::read_header(MsgpackReader& reader) {
  MsgpackReader peek = reader;
  Token token;
  if (peek.next(token) == ReadStatus::ok && token.type != TokenType::map) {
    return Refusal::frame_shape;
  }
  return read_map(reader, frame_, Refusal::frame_header, broken_,
                  [&](std::string_view key, const Token& value, ByteView raw_value) {
                    const bool is_set = set_header_field(key, value, raw_value, header_);
                    return is_set ? Refusal::none : Refusal::frame_header;
                  });
}

Refusal FrameReader::read_spans(MsgpackReader& reader) {
  Token token;
  ReadStatus status = reader.next(token);
  if (status != ReadStatus::ok) return frame_refusal(status);
  if (token.type != TokenType::array) return Refusal::frame_shape;
  // An event takes a byte at least, so that a false count cannot make us reserve beyond the frame.
  if (token.count > frame_.size()) return Refusal::frame_truncated;
  // So many must be smaller than an event can be that there is no use in a look at each.
  const std::size_t events_max = (frame_.size() - reader.offset()) / event_bytes_min;
  if (token.count > events_max + refused_events_max) return Refusal::frame_refusals;

  spans_.reserve(token.count);
  const auto here = [&] { return static_cast<std::uint32_t>(reader.offset()); };
  for (std::uint32_t left = token.count; left > 0; --left) {
    Span span{here(), here(), here()};
    Token event;
    status = reader.next(event);
    if (status != ReadStatus::ok) return frame_refusal(status);
    if (event.type != TokenType::array || event.count < 3) {
      reader.go_to(span.begin);
      status = reader.skip_value();
    } else {
      status = reader.skip_values(2);
      if (status == ReadStatus::ok) {
        span.data = here();
        status = reader.skip_value();
        span.data_end = here();
      }
      if (status == ReadStatus::ok) status = reader.skip_values(event.count - 3);
    }
    if (status != ReadStatus::ok) return frame_refusal(status);
    spans_.push_back(span);
  }
  events_end_ = here();
  return Refusal::none;
}

Refusal FrameReader::next(EventView& event) {
  const std::size_t end = end_of(next_span_);
  const Span span = spans_[next_span_++];
  broken_ = {};
  if (span.data == span.data_end) return Refusal::event_shape;
  if (end - span.begin > limits_.event_bytes_max) return Refusal::event_too_large;

  event = {};
  MsgpackReader reader(frame_.subspan(span.begin, span.data - span.begin));
  Token array;
  Token token;
  if (reader.next(array) != ReadStatus::ok) return Refusal::event_shape;
  if (reader.next(token) != ReadStatus::ok || token.type != TokenType::str) {
    return Refusal::event_topic;
  }
  event.topic = as_text(token.bytes);
  if (!is_valid_topic(event.topic)) return Refusal::event_topic;

  if (reader.next(token) != ReadStatus::ok) return Refusal::event_time;
  if (!take_uint(token, event.time_ns) && !timestamp_ns(token, event.time_ns)) {
    return Refusal::event_time;
  }
  event.data = frame_.subspan(span.data, span.data_end - span.data);
  if (array.count == 3) return Refusal::none;
  const ByteView raw = frame_.subspan(span.data_end, end - span.data_end);
  MsgpackReader attributes(raw);
  return read_map(attributes, raw, Refusal::event_attributes, broken_,
                  [&](std::string_view key, const Token& value, ByteView) {
                    return set_attribute(key, value, event.attributes);
                  });
}

ByteView FrameReader::last_event() const {
  if (next_span_ == 0) return {};
  const std::size_t begin = spans_[next_span_ - 1].begin;
  return frame_.subspan(begin, end_of(next_span_ - 1) - begin);
}

void for_each_drop(ByteView drops,
                   const std::function<void(std::string_view, std::uint64_t)>& visit) {
  if (drops.empty()) return;
  MsgpackReader reader(drops);
  Token map;
  if (reader.next(map) != ReadStatus::ok || map.type != TokenType::map) return;
  for (std::uint32_t left = map.count; left > 0; --left) {
    Token reason;
    Token events;
    if (reader.next(reason) != ReadStatus::ok || reader.next(events) != ReadStatus::ok) return;
    visit(as_text(reason.bytes), events.uint);
  }
}

}  // namespace outrider::proto
