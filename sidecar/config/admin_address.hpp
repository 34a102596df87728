// AdminAddress: where the admin interface listens.
//
// Used by the option table, the checks across options, the admin server, and the commands that talk
// to a running sidecar. Pure functions. Fails with: an Error that says what to write.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "sidecar/base/result.hpp"
#include "sidecar/config/config.hpp"

namespace outrider::sidecar {

/// Long enough that nobody guesses it.
inline constexpr std::size_t admin_token_bytes_min = 16;

struct AdminAddress {
  enum class Kind : std::uint8_t { none, unix_socket, tcp };
  Kind kind = Kind::none;
  std::string path;        ///< unix_socket
  std::string host;        ///< tcp: an IP address without brackets; "*": every address
  std::uint16_t port = 0;  ///< tcp; 0: any that is free

  /// Nobody outside of this machine can get there.
  bool is_local() const;
  /// As it is written in the configuration.
  std::string text() const;
};

/// unix://PATH, tcp://ADDRESS:PORT or none.
Result<AdminAddress> parse_admin_address(std::string_view text);

/// `listen`; if it is not set, admin.sock in the folder of the first ipc endpoint, or none.
AdminAddress admin_address(const Config& config);

/// Sidecars whose endpoints lie in one folder have one default place: the endpoint of the one that
/// is meant or that listens. Empty if `listen` is set: then the place is its alone.
std::string shared_place_mark(const Config& config);

// As checks, for the option table.
Status check_admin_address(std::string_view text);
/// A secret source that holds a token.
Status check_token_source(std::string_view source);

}  // namespace outrider::sidecar
