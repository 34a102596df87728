#include "sidecar/cli/received_body.hpp"

#include <cmath>
#include <cstdint>

#include <rapidjson/error/en.h>
#include <rapidjson/reader.h>
#include <rapidjson/stringbuffer.h>
#include <rapidjson/writer.h>

#include "proto/msgpack_reader.hpp"
#include "proto/utf8.hpp"
#include "sidecar/base/text.hpp"

namespace outrider::sidecar {
namespace {

using rapidjson::SizeType;

/// Sees the tokens of a body, knows where its events begin and end, and visits them.
/// The functions in PascalCase are those that RapidJSON's reader calls; false stops it.
class EventWalk {
 public:
  EventWalk(BodyKind kind, Detail detail, const EventVisitor& visit)
      : event_depth_(kind == BodyKind::ndjson ? 1 : 2),
        writes_(detail == Detail::json),
        visit_(visit) {}

  bool Null() {
    return scalar([this] { writer_.Null(); });
  }
  bool Bool(bool value) {
    return scalar([this, value] { writer_.Bool(value); });
  }
  bool Int(int value) { return Int64(value); }
  bool Uint(unsigned value) { return Uint64(value); }
  bool Int64(std::int64_t value) {
    return scalar([this, value] { writer_.Int64(value); });
  }
  bool Uint64(std::uint64_t value) {
    return scalar([this, value] { writer_.Uint64(value); });
  }
  bool Double(double value) {
    return scalar([this, value] { std::isfinite(value) ? writer_.Double(value) : writer_.Null(); });
  }
  bool RawNumber(const char* text, SizeType size, bool) {
    return scalar([=, this] { writer_.RawValue(text, size, rapidjson::kNumberType); });
  }

  bool String(const char* text, SizeType size, bool) {
    if (depth_ == event_depth_) {
      if (field_ == Field::id) id_.assign(text, size);
      if (writes_ && field_ == Field::topic) topic_.assign(text, size);
      if (writes_ && field_ == Field::time) time_.assign(text, size);
    }
    return scalar([=, this] { writer_.String(text, size); });
  }

  bool Key(const char* text, SizeType size, bool) {
    if (writes_) writer_.Key(text, size);
    if (depth_ == event_depth_) {
      const std::string_view key(text, size);
      field_ = key == "id"      ? Field::id
               : key == "topic" ? Field::topic
               : key == "time"  ? Field::time
               : key == "data"  ? Field::data
                                : Field::other;
      if (field_ == Field::data) data_begin_ = buffer_.GetSize() + 1;  // 1: the colon
    }
    return true;
  }

  bool StartObject() {
    if (depth_ == 0 && event_count_ == 0 && event_depth_ == 2) event_depth_ = 1;
    if (depth_ + 1 < event_depth_) return not_an_event();
    if (depth_ + 1 == event_depth_) begin_event();
    ++depth_;
    if (writes_) writer_.StartObject();
    return true;
  }
  bool EndObject(SizeType) {
    if (writes_) writer_.EndObject();
    --depth_;
    if (depth_ + 1 == event_depth_) {
      end_event();
    } else {
      end_value();
    }
    return true;
  }

  bool StartArray() {
    if (depth_ < event_depth_ && !(depth_ == 0 && event_depth_ == 2)) return not_an_event();
    ++depth_;
    if (writes_ && depth_ > event_depth_) writer_.StartArray();
    return true;
  }
  bool EndArray(SizeType) {
    if (writes_ && depth_ > event_depth_) writer_.EndArray();
    --depth_;
    if (depth_ >= event_depth_) end_value();
    return true;
  }

  const std::string& complaint() const { return complaint_; }
  std::uint64_t event_count() const { return event_count_; }

 private:
  enum class Field : std::uint8_t { other, id, topic, time, data };

  template <typename Write>
  bool scalar(const Write& write) {
    if (depth_ < event_depth_) return not_an_event();
    if (writes_) write();
    end_value();
    return true;
  }

  void end_value() {
    if (depth_ == event_depth_ && field_ == Field::data) data_end_ = buffer_.GetSize();
  }

  void begin_event() {
    field_ = Field::other;
    id_.clear();
    topic_.clear();
    time_.clear();
    data_begin_ = data_end_ = 0;
    buffer_.Clear();
    writer_.Reset(buffer_);
  }

  void end_event() {
    ++event_count_;
    const std::string_view json(buffer_.GetString(), buffer_.GetSize());
    visit_({id_, topic_, time_, json,
            writes_ ? json.substr(data_begin_, data_end_ - data_begin_) : std::string_view{}});
  }

  bool not_an_event() {
    complaint_ = "event " + std::to_string(event_count_ + 1) + " of the body is not an object";
    return false;
  }

  int event_depth_;  ///< containers that are open inside an event
  bool writes_;
  const EventVisitor& visit_;
  int depth_ = 0;
  std::uint64_t event_count_ = 0;
  Field field_ = Field::other;
  std::string id_;
  std::string topic_;
  std::string time_;
  std::size_t data_begin_ = 0;
  std::size_t data_end_ = 0;
  rapidjson::StringBuffer buffer_;
  rapidjson::Writer<rapidjson::StringBuffer> writer_{buffer_};
  std::string complaint_;
};

Status read_json(BodyKind kind, const std::string& body, EventWalk& walk) {
  // Numbers stay text, so that not a digit changes; nesting uses the heap, not the stack.
  constexpr unsigned flags = rapidjson::kParseStopWhenDoneFlag |
                             rapidjson::kParseNumbersAsStringsFlag |
                             rapidjson::kParseValidateEncodingFlag | rapidjson::kParseIterativeFlag;
  rapidjson::Reader reader;
  rapidjson::StringStream stream(body.c_str());
  bool first = true;
  rapidjson::SkipWhitespace(stream);
  while (first || (kind == BodyKind::ndjson && stream.Tell() < body.size())) {
    first = false;
    const rapidjson::ParseResult parsed = reader.Parse<flags>(stream, walk);
    if (!walk.complaint().empty()) return Error{walk.complaint()};
    if (parsed.IsError()) {
      return Error{"invalid JSON at byte " + std::to_string(parsed.Offset()) +
                   " of the body: " + rapidjson::GetParseError_En(parsed.Code())};
    }
    rapidjson::SkipWhitespace(stream);
  }
  if (stream.Tell() < body.size()) {
    return Error{"something follows the JSON at byte " + std::to_string(stream.Tell()) +
                 " of the body"};
  }
  return Nothing{};
}

/// Feeds one msgpack body to a walk.
class MsgpackFeed {
 public:
  MsgpackFeed(proto::ByteView body, EventWalk& walk) : reader_(body), walk_(walk) {}

  Status feed() {
    if (!value(0)) {
      if (!walk_.complaint().empty()) return Error{walk_.complaint()};
      return Error{"invalid msgpack at byte " + std::to_string(reader_.offset()) + " of the body"};
    }
    if (reader_.at_end()) return Nothing{};
    return Error{"something follows the msgpack at byte " + std::to_string(reader_.offset()) +
                 " of the body"};
  }

 private:
  // The array of events and the event around the data.
  static constexpr std::uint32_t levels_max = proto::depth_levels_max + 2;

  bool value(std::uint32_t depth) {
    proto::Token token;
    if (reader_.next(token) != proto::ReadStatus::ok) return false;
    switch (token.type) {
      case proto::TokenType::nil:
        return walk_.Null();
      case proto::TokenType::boolean:
        return walk_.Bool(token.boolean);
      case proto::TokenType::uint:
        return walk_.Uint64(token.uint);
      case proto::TokenType::sint:
        return walk_.Int64(token.sint);
      case proto::TokenType::real:
        return walk_.Double(token.real);
      case proto::TokenType::str:
      case proto::TokenType::bin:
      case proto::TokenType::ext:
        text_ = text_of(token);
        return walk_.String(text_.data(), static_cast<SizeType>(text_.size()), true);
      case proto::TokenType::array:
        return depth < levels_max && array(token.count, depth);
      case proto::TokenType::map:
        return depth < levels_max && map(token.count, depth);
    }
    return false;
  }

  bool array(std::uint32_t count, std::uint32_t depth) {
    if (!walk_.StartArray()) return false;
    for (std::uint32_t i = 0; i < count; ++i) {
      if (!value(depth + 1)) return false;
    }
    return walk_.EndArray(count);
  }

  bool map(std::uint32_t count, std::uint32_t depth) {
    if (!walk_.StartObject()) return false;
    for (std::uint32_t i = 0; i < count; ++i) {
      if (!key() || !value(depth + 1)) return false;
    }
    return walk_.EndObject(count);
  }

  bool key() {
    proto::Token token;
    if (reader_.next(token) != proto::ReadStatus::ok) return false;
    switch (token.type) {
      case proto::TokenType::uint:
        text_ = std::to_string(token.uint);
        break;
      case proto::TokenType::sint:
        text_ = std::to_string(token.sint);
        break;
      case proto::TokenType::str:
      case proto::TokenType::bin:
        text_ = text_of(token);
        break;
      default:
        return false;
    }
    return walk_.Key(text_.data(), static_cast<SizeType>(text_.size()), true);
  }

  /// Text as it is; other bytes in hex, for people to look at.
  static std::string text_of(const proto::Token& token) {
    std::string text;
    if (token.type == proto::TokenType::str) {
      proto::append_as_valid_utf8(proto::as_text(token.bytes), text);
      return text;
    }
    constexpr std::string_view digits = "0123456789abcdef";
    text =
        token.type == proto::TokenType::ext ? "ext" + std::to_string(token.ext_type) + ":0x" : "0x";
    for (const std::uint8_t byte : token.bytes) {
      text += digits[byte >> 4U];
      text += digits[byte & 0x0fU];
    }
    return text;
  }

  proto::MsgpackReader reader_;
  EventWalk& walk_;
  std::string text_;
};

}  // namespace

std::optional<BodyKind> body_kind(std::string_view content_type) {
  const std::string_view type = trim(content_type.substr(0, content_type.find(';')));
  if (type == "application/json") return BodyKind::json;
  if (type == "application/x-ndjson" || type == "application/ndjson") return BodyKind::ndjson;
  if (type == "application/msgpack" || type == "application/x-msgpack" ||
      type == "application/vnd.msgpack") {
    return BodyKind::msgpack;
  }
  return std::nullopt;
}

Status read_body(BodyKind kind, const std::string& body, Detail detail, const EventVisitor& visit) {
  EventWalk walk(kind, detail, visit);
  if (kind == BodyKind::msgpack) return MsgpackFeed(proto::as_bytes(body), walk).feed();
  return read_json(kind, body, walk);
}

}  // namespace outrider::sidecar
