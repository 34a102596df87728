#include "sidecar/app/transports.hpp"

#include <array>

#include "sidecar/deliver/writer_transport.hpp"
#include "sidecar/fanout/zmq_transport.hpp"

namespace outrider::sidecar {
namespace {

using Made = Result<std::unique_ptr<Transport>>;

struct TransportRow {
  DestinationType type;
  Made (*make)(const DestinationConfig& config, std::string_view content_type,
               const TransportWorld& world);
};

constexpr std::array rows = {
    TransportRow{DestinationType::http,
                 [](const DestinationConfig& config, std::string_view content_type,
                    const TransportWorld& world) -> Made {
                   return world.curl.make_transport(config, content_type, world.log);
                 }},
    TransportRow{DestinationType::file,
                 [](const DestinationConfig& config, std::string_view, const TransportWorld& world)
                     -> Made { return make_file_transport(config, world.reactor); }},
    TransportRow{DestinationType::stdout_,
                 [](const DestinationConfig&, std::string_view, const TransportWorld& world)
                     -> Made { return make_stdout_transport(world.reactor); }},
    TransportRow{
        DestinationType::zmq,
        [](const DestinationConfig& config, std::string_view, const TransportWorld& world) -> Made {
          return make_zmq_transport(config, world.zmq_context, world.reactor, world.log);
        }},
};

}  // namespace

Result<std::unique_ptr<Transport>> make_transport(const DestinationConfig& config,
                                                  std::string_view content_type,
                                                  const TransportWorld& world) {
  for (const TransportRow& row : rows) {
    if (row.type == config.type) return row.make(config, content_type, world);
  }
  return Error{"this type of destination has no transport"};
}

}  // namespace outrider::sidecar
