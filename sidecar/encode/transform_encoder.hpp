// TransformEncoder: any format, with the field rules applied to the data of each event first.
//
// Put around the other encoders by make_encoder() if there are rules. Thread: one encoder, one
// thread. Owns: the rules and the transformed data of one event, reused from event to event.
#pragma once

#include "sidecar/encode/encoder_decorator.hpp"
#include "sidecar/encode/field_transform.hpp"

namespace outrider::sidecar {

class TransformEncoder final : public EncoderDecorator {
 public:
  TransformEncoder(std::unique_ptr<Encoder> inner, const FieldRules& rules)
      : EncoderDecorator(std::move(inner)), transform_(rules) {}

  void add(const RecordView& record, Body& body) override {
    transform_.apply(record.data, data_);
    RecordView transformed = record;
    transformed.bytes = {};  // they hold the data as it was
    transformed.data = proto::as_bytes(data_);
    inner().add(transformed, body);
  }

 private:
  FieldTransform transform_;
  std::string data_;
};

}  // namespace outrider::sidecar
