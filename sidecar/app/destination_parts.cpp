#include "sidecar/app/destination_parts.hpp"

#include <utility>

#include "sidecar/app/encode_settings.hpp"

namespace outrider::sidecar {

Result<DestinationParts> make_parts(DestinationConfig config, const MakeTransport& make_transport) {
  // Files and sockets take one body after the other.
  if (config.type != DestinationType::http) config.concurrency_min = config.concurrency_max = 1;
  const std::string where = "destination " + config.name;
  DestinationParts parts;
  parts.config = std::move(config);
  const auto settings = make_encode_settings(parts.config);
  if (!settings.ok()) return settings.error().with_prefix(where);
  parts.encoder = make_encoder(settings.value());
  if (!make_transport) return parts;
  auto transport = make_transport(
      parts.config, {parts.encoder->content_type(), parts.encoder->content_encoding()});
  if (!transport.ok()) return transport.error().with_prefix(where);
  parts.transport = std::move(transport.value());
  return parts;
}

}  // namespace outrider::sidecar
