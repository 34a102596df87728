// HttpSettings: what every request of one http destination has in common, worked out once. What
// comes from files and may change is in Credentials (credentials.hpp).
// Used by CurlTransport. A pure value.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "sidecar/base/result.hpp"
#include "sidecar/config/config.hpp"

namespace outrider::sidecar {

struct HttpSettings {
  std::string url;
  std::string peer;  ///< HOST:PORT of the url, for errors
  std::string method;
  std::vector<std::string> headers;  ///< "Name: value", in the order in which they are sent
  Duration timeout;
  Duration connect_timeout;
};

/// Fails if the url or a header is malformed; no error shows a secret.
/// A header of the configuration replaces ours of the same name.
Result<HttpSettings> make_http_settings(const DestinationConfig& config,
                                        std::string_view content_type);

}  // namespace outrider::sidecar
