// The parts of a destination that its configuration makes: encoder and transport.
//
// Used by App at the start, and by Reloader. Thread: the sidecar's one.
#pragma once

#include <functional>
#include <memory>

#include "sidecar/base/result.hpp"
#include "sidecar/config/config.hpp"
#include "sidecar/deliver/transport.hpp"
#include "sidecar/encode/encoder.hpp"

namespace outrider::sidecar {

struct DestinationParts {
  DestinationConfig config;  ///< as the destination gets it
  std::unique_ptr<Encoder> encoder;
  std::unique_ptr<Transport> transport;  ///< null: none was asked for
};

using MakeTransport = std::function<Result<std::unique_ptr<Transport>>(
    const DestinationConfig& config, const BodyKind& body)>;

/// `make_transport`: empty for none. Fails with an Error that names the destination.
Result<DestinationParts> make_parts(DestinationConfig config, const MakeTransport& make_transport);

}  // namespace outrider::sidecar
