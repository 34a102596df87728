// CloudEvents 1.0 over HTTP, as JSON: many events a request (`cloudevents_batch`), one event with
// its attributes in the body (`cloudevents_structured`) or in headers (`cloudevents_binary`), and
// structured events one a line (`cloudevents_lines`).
//
// Made by encoders.cpp. docs/json-mapping.md lists which field becomes which attribute. Thread,
// ownership and failures are those of JsonBodyEncoder.
#pragma once

#include <memory>

#include "sidecar/encode/encoder.hpp"

namespace outrider::sidecar {

std::unique_ptr<Encoder> make_cloudevents_batch_encoder(const EncodeSettings& settings);
std::unique_ptr<Encoder> make_cloudevents_structured_encoder(const EncodeSettings& settings);
std::unique_ptr<Encoder> make_cloudevents_lines_encoder(const EncodeSettings& settings);
std::unique_ptr<Encoder> make_cloudevents_binary_encoder(const EncodeSettings& settings);

}  // namespace outrider::sidecar
