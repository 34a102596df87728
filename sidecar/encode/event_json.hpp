// EventJson: a record as the JSON object that bodies of format json have.
//
// Used by the commands and the admin interface, which show events of the spool. Thread: one object,
// one thread.
#pragma once

#include <memory>
#include <string_view>

#include "sidecar/encode/encoder.hpp"

namespace outrider::sidecar {

class EventJson {
 public:
  EventJson() : encoder_(make_encoder({.format = "ndjson"})) {}

  /// The object; valid until the next call.
  std::string_view object(const RecordView& record) {
    encoder_->begin(body_);
    encoder_->add(record, body_);
    std::string_view text = body_.bytes;
    text.remove_suffix(1);  // the line's end
    return text;
  }

  /// The same without the last brace, for members to come.
  std::string_view members(const RecordView& record) {
    std::string_view text = object(record);
    text.remove_suffix(1);
    return text;
  }

 private:
  std::unique_ptr<Encoder> encoder_;
  Body body_;
};

}  // namespace outrider::sidecar
