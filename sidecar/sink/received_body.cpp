#include "sidecar/sink/received_body.hpp"

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
  EventWalk(BodySyntax syntax, Detail detail, const EventVisitor& visit)
      : event_depth_(syntax == BodySyntax::ndjson ? 1 : 2),
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
    if (writes_) writer_.StartObject();
    return go_deeper();
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
    if (writes_ && depth_ >= event_depth_) writer_.StartArray();
    return go_deeper();
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

  // Data that a sidecar accepts, in an event, in the array of events.
  static constexpr int levels_max = static_cast<int>(proto::depth_levels_max) + 2;

  template <typename Write>
  bool scalar(const Write& write) {
    if (depth_ == 0) return payload(write);
    if (depth_ < event_depth_) return not_an_event();
    if (writes_) write();
    end_value();
    return true;
  }

  /// The body, or the line, is one value: the data alone, as `format = payload` sends it.
  template <typename Write>
  bool payload(const Write& write) {
    begin_event();
    if (writes_) write();
    end_event();
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
    std::string_view data;
    // An object with neither topic nor data is data alone, as `format = payload` sends it.
    if (writes_ && topic_.empty() && data_end_ == 0) {
      data = json;
    } else if (writes_) {
      data = json.substr(data_begin_, data_end_ - data_begin_);
    }
    visit_({id_, topic_, time_, json, data});
  }

  /// Both feeds recurse; this bounds them.
  bool go_deeper() {
    if (++depth_ <= levels_max) return true;
    complaint_ = "event " + std::to_string(event_count_ + 1) + " of the body nests too deep";
    return false;
  }

  bool not_an_event() {
    complaint_ = "event " + std::to_string(event_count_ + 1) +
                 " of the body is not an object; --payload takes a body for the data of one event";
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

/// Writes numbers with the digits that they have.
class PayloadWriter : public rapidjson::Writer<rapidjson::StringBuffer> {
 public:
  using Writer::Writer;
  bool RawNumber(const char* text, SizeType size, bool) {
    return RawValue(text, size, rapidjson::kNumberType);
  }
};

Error invalid_json(const rapidjson::ParseResult& parsed) {
  return Error{"invalid JSON at byte " + std::to_string(parsed.Offset()) +
               " of the body: " + rapidjson::GetParseError_En(parsed.Code())};
}

Status expect_end(const std::string& body, rapidjson::StringStream& stream) {
  rapidjson::SkipWhitespace(stream);
  if (stream.Tell() == body.size()) return Nothing{};
  return Error{"something follows the JSON at byte " + std::to_string(stream.Tell()) +
               " of the body"};
}

template <unsigned flags>
Status read_json(BodySyntax syntax, const std::string& body, EventWalk& walk) {
  if (!proto::is_valid_utf8(body)) return Error{"the body is not valid UTF-8"};
  rapidjson::Reader reader;
  rapidjson::StringStream stream(body.c_str());
  rapidjson::SkipWhitespace(stream);
  do {
    const rapidjson::ParseResult parsed =
        reader.Parse<flags | rapidjson::kParseStopWhenDoneFlag>(stream, walk);
    if (!walk.complaint().empty()) return Error{walk.complaint()};
    if (parsed.IsError()) return invalid_json(parsed);
    rapidjson::SkipWhitespace(stream);
  } while (syntax == BodySyntax::ndjson && stream.Tell() < body.size());
  return expect_end(body, stream);
}

/// Feeds one msgpack body to a walk.
class MsgpackFeed {
 public:
  MsgpackFeed(proto::ByteView body, EventWalk& walk) : reader_(body), walk_(walk) {}

  Status feed() {
    if (!value()) {
      if (!walk_.complaint().empty()) return Error{walk_.complaint()};
      return Error{"invalid msgpack at byte " + std::to_string(reader_.offset()) + " of the body"};
    }
    if (reader_.at_end()) return Nothing{};
    return Error{"something follows the msgpack at byte " + std::to_string(reader_.offset()) +
                 " of the body"};
  }

 private:
  bool value() {
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
      case proto::TokenType::ext: {
        const std::string_view text = text_of(token);
        return walk_.String(text.data(), static_cast<SizeType>(text.size()), true);
      }
      case proto::TokenType::array:
        return array(token.count);
      case proto::TokenType::map:
        return map(token.count);
    }
    return false;
  }

  bool array(std::uint32_t count) {
    if (!walk_.StartArray()) return false;
    for (std::uint32_t i = 0; i < count; ++i) {
      if (!value()) return false;
    }
    return walk_.EndArray(count);
  }

  bool map(std::uint32_t count) {
    if (!walk_.StartObject()) return false;
    for (std::uint32_t i = 0; i < count; ++i) {
      if (!key() || !value()) return false;
    }
    return walk_.EndObject(count);
  }

  bool key() {
    proto::Token token;
    if (reader_.next(token) != proto::ReadStatus::ok) return false;
    std::string_view text;
    switch (token.type) {
      case proto::TokenType::uint:
        text = text_ = std::to_string(token.uint);
        break;
      case proto::TokenType::sint:
        text = text_ = std::to_string(token.sint);
        break;
      case proto::TokenType::str:
      case proto::TokenType::bin:
        text = text_of(token);
        break;
      default:
        return false;
    }
    return walk_.Key(text.data(), static_cast<SizeType>(text.size()), true);
  }

  /// Text unchanged, repaired if necessary; other bytes in hex, for people to read. The view is
  /// valid until the next call.
  std::string_view text_of(const proto::Token& token) {
    text_.clear();
    if (token.type == proto::TokenType::str) {
      const std::string_view text = proto::as_text(token.bytes);
      if (proto::is_valid_utf8(text)) return text;
      proto::append_as_valid_utf8(text, text_);
      return text_;
    }
    constexpr std::string_view digits = "0123456789abcdef";
    if (token.type == proto::TokenType::ext) text_ = "ext" + std::to_string(token.ext_type) + ":";
    text_ += "0x";
    for (const std::uint8_t byte : token.bytes) {
      text_ += digits[byte >> 4U];
      text_ += digits[byte & 0x0fU];
    }
    return text_;
  }

  proto::MsgpackReader reader_;
  EventWalk& walk_;
  std::string text_;
};

}  // namespace

std::optional<BodySyntax> body_syntax(std::string_view content_type) {
  const std::string_view type = trim(content_type.substr(0, content_type.find(';')));
  if (type == "application/json" || type == "application/cloudevents+json" ||
      type == "application/cloudevents-batch+json") {
    return BodySyntax::json;
  }
  if (type == "application/x-ndjson" || type == "application/ndjson") return BodySyntax::ndjson;
  if (type == "application/msgpack" || type == "application/x-msgpack" ||
      type == "application/vnd.msgpack") {
    return BodySyntax::msgpack;
  }
  return std::nullopt;
}

Status read_body(BodySyntax syntax, const std::string& body, Detail detail,
                 const EventVisitor& visit) {
  EventWalk walk(syntax, detail, visit);
  if (syntax == BodySyntax::msgpack) return MsgpackFeed(proto::as_bytes(body), walk).feed();
  // The written copy keeps its numbers as text, so that no digit changes.
  if (detail == Detail::json) {
    return read_json<rapidjson::kParseNumbersAsStringsFlag>(syntax, body, walk);
  }
  return read_json<rapidjson::kParseDefaultFlags>(syntax, body, walk);
}

Status read_payload(const Envelope& envelope, const std::string& body, Detail detail,
                    const EventVisitor& visit) {
  if (!proto::is_valid_utf8(body)) return Error{"the body is not valid UTF-8"};
  // Data may nest deeper than a thread's stack; and it keeps its numbers as text.
  constexpr unsigned flags = rapidjson::kParseIterativeFlag |
                             rapidjson::kParseNumbersAsStringsFlag |
                             rapidjson::kParseStopWhenDoneFlag;
  rapidjson::StringBuffer text;
  PayloadWriter writer(text);
  rapidjson::Reader reader;
  rapidjson::StringStream stream(body.c_str());
  const rapidjson::ParseResult parsed = reader.Parse<flags>(stream, writer);
  if (parsed.IsError()) return invalid_json(parsed);
  if (Status end = expect_end(body, stream); !end.ok()) return end;
  const std::string_view json(text.GetString(), text.GetSize());
  const std::string_view written = detail == Detail::json ? json : "";
  visit({envelope.id, envelope.topic, envelope.time, written, written});
  return Nothing{};
}

}  // namespace outrider::sidecar
