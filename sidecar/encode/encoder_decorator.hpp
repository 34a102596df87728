// EncoderDecorator: an encoder around another one, to which it forwards every call that is not
// overridden.
//
// Base of TransformEncoder and CompressEncoder. Thread: that of the encoder. Owns: the inner one.
#pragma once

#include <utility>

#include "sidecar/encode/encoder.hpp"

namespace outrider::sidecar {

class EncoderDecorator : public Encoder {
 public:
  explicit EncoderDecorator(std::unique_ptr<Encoder> inner) : inner_(std::move(inner)) {}

  void begin(Body& body) override { inner_->begin(body); }
  void add(const RecordView& record, Body& body) override { inner_->add(record, body); }
  void end(Body& body) override { inner_->end(body); }
  std::string_view content_type() const override { return inner_->content_type(); }
  std::string_view content_encoding() const override { return inner_->content_encoding(); }
  bool is_single() const override { return inner_->is_single(); }
  const AnswerReader* answer_reader() const override { return inner_->answer_reader(); }

 protected:
  Encoder& inner() { return *inner_; }

 private:
  std::unique_ptr<Encoder> inner_;
};

}  // namespace outrider::sidecar
