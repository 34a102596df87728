#include "sidecar/app/transports.hpp"

#include <array>
#include <map>

#include "sidecar/deliver/writer_transport.hpp"
#include "sidecar/fanout/zmq_transport.hpp"

namespace outrider::sidecar {
namespace {

struct TransportRow {
  DestinationType type;
  PrepareTransport (*preparer)(const TransportWorld& world);
};

constexpr std::array rows = {
    TransportRow{DestinationType::http,
                 [](const TransportWorld& world) { return world.curl.preparer(world.log); }},
    TransportRow{DestinationType::file,
                 [](const TransportWorld& world) -> PrepareTransport {
                   return [&reactor = world.reactor](const DestinationConfig& config) {
                     return prepare_file_transport(config, reactor);
                   };
                 }},
    TransportRow{DestinationType::stdout_,
                 [](const TransportWorld& world) -> PrepareTransport {
                   return [&reactor = world.reactor](const DestinationConfig& config) {
                     return prepare_stdout_transport(config, reactor);
                   };
                 }},
    // A socket has no files.
    TransportRow{DestinationType::zmq,
                 [](const TransportWorld& world) -> PrepareTransport {
                   return [world](const DestinationConfig& config) -> Result<FinishTransport> {
                     return FinishTransport([world, config](const BodyKind&) {
                       return make_zmq_transport(config, world.zmq_context, world.reactor,
                                                 world.log);
                     });
                   };
                 }},
};

}  // namespace

PrepareTransport transport_preparer(const TransportWorld& world) {
  std::map<DestinationType, PrepareTransport> preparers;
  for (const TransportRow& row : rows) preparers[row.type] = row.preparer(world);
  return [preparers](const DestinationConfig& config) -> Result<FinishTransport> {
    const auto found = preparers.find(config.type);
    if (found == preparers.end()) return Error{"this type of destination has no transport"};
    return found->second(config);
  };
}

}  // namespace outrider::sidecar
