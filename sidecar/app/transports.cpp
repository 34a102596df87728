#include "sidecar/app/transports.hpp"

#include <array>

#include "sidecar/deliver/writer_transport.hpp"
#include "sidecar/fanout/zmq_transport.hpp"

namespace outrider::sidecar {
namespace {

using Made = Result<std::unique_ptr<Transport>>;

struct TransportRow {
  DestinationType type;
  Made (*make)(const DestinationConfig& config, const BodyKind& body, const TransportWorld& world);
};

constexpr std::array rows = {
    TransportRow{DestinationType::http,
                 [](const DestinationConfig& config, const BodyKind& body,
                    const TransportWorld& world) -> Made {
                   return world.curl.make_transport(config, body, world.log);
                 }},
    TransportRow{DestinationType::file,
                 [](const DestinationConfig& config, const BodyKind&, const TransportWorld& world)
                     -> Made { return make_file_transport(config, world.reactor); }},
    TransportRow{DestinationType::stdout_,
                 [](const DestinationConfig& config, const BodyKind&, const TransportWorld& world)
                     -> Made { return make_stdout_transport(config, world.reactor); }},
    TransportRow{
        DestinationType::zmq,
        [](const DestinationConfig& config, const BodyKind&, const TransportWorld& world) -> Made {
          return make_zmq_transport(config, world.zmq_context, world.reactor, world.log);
        }},
};

}  // namespace

Result<std::unique_ptr<Transport>> make_transport(const DestinationConfig& config,
                                                  const BodyKind& body,
                                                  const TransportWorld& world) {
  for (const TransportRow& row : rows) {
    if (row.type == config.type) return row.make(config, body, world);
  }
  return Error{"this type of destination has no transport"};
}

}  // namespace outrider::sidecar
