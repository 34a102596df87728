// JsonBodyEncoder: the common part of all formats of JSON text, which is everything except the
// events.
//
// Base of the encoders in json_encoder.cpp, cloudevents_encoder.cpp and payload_encoder.cpp: they
// write an event, this puts it in its place. An event's own part ends after its last brace, or in
// lines after its newline; in an array the next one begins one byte later, after the comma.
//
// Thread: one encoder, one thread. Owns: the text of the event being written, reused from event to
// event. The body is valid JSON whatever the records hold; docs/json-mapping.md describes how
// msgpack values without a JSON equivalent are written.
#pragma once

#include "sidecar/base/time_text.hpp"
#include "sidecar/encode/encoder.hpp"
#include "sidecar/encode/json_value.hpp"
#include "sidecar/encode/json_writer.hpp"

namespace outrider::sidecar {

/// The text around the events.
struct Framing {
  std::string_view open;
  std::string_view between;
  std::string_view after_each;
  std::string_view close;
  std::string_view content_type;
  bool is_single = false;
};

class JsonBodyEncoder : public Encoder {
 public:
  explicit JsonBodyEncoder(const Framing& framing) : framing_(framing) {}

  void begin(Body& body) override {
    body.clear();
    body.bytes.append(framing_.open);
  }

  void add(const RecordView& record, Body& body) override {
    if (!body.event_ends.empty()) body.bytes.append(framing_.between);
    out_.clear();
    write_event(record, out_);
    out_.raw(framing_.after_each);
    body.bytes.append(out_.text());
    body.event_ends.push_back(static_cast<std::uint32_t>(body.bytes.size()));
    if (framing_.is_single) add_headers(record, body.headers);
  }

  void end(Body& body) override { body.bytes.append(framing_.close); }

  std::string_view content_type() const override { return framing_.content_type; }
  bool is_single() const override { return framing_.is_single; }

 protected:
  virtual void write_event(const RecordView& record, JsonWriter& out) = 0;

  /// The headers of a request with this one event.
  virtual void add_headers(const RecordView& /*record*/, std::vector<std::string>& /*headers*/) {}

  void write_data(const RecordView& record, JsonWriter& out) {
    write_json_value(record.data, time_in_data_, out);
  }
  std::string_view time_of(const RecordView& record) {
    return event_time_.format_ns(record.time_ns);
  }

 private:
  const Framing framing_;
  JsonWriter out_;
  TimeText event_time_;
  TimeText time_in_data_;  // of its own: such times would drive out the second of the events
};

}  // namespace outrider::sidecar
