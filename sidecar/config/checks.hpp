// Checks of single values: URLs, patterns, headers, host names. Used by the option table and by the
// checks across options (validate.cpp). The file checks read the file system, nothing here touches
// the network. Fails with: an Error that says what to write.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "sidecar/base/result.hpp"
#include "sidecar/config/destination_config.hpp"

namespace outrider::sidecar {

inline constexpr std::size_t destination_name_bytes_max = 64;
inline constexpr std::size_t path_bytes_max = 4000;

Status check_filled(std::string_view value);
/// Short enough for the system, with the suffixes of the files beside it.
Status check_path(std::string_view path);
Status check_destination_name(std::string_view name);
Status check_pattern(std::string_view pattern);
/// The rules of parse_http_url() (http_url.hpp); after the authority it may hold {fields}.
Status check_http_url(std::string_view url);
/// RFC 3986: characters, percent codes and a scheme or none; the content of its parts is not
/// checked.
Status check_uri_reference(std::string_view text);
/// Capital letters; may hold {fields}.
Status check_method(std::string_view method);
/// A header that may be set, and not one that each request has from the sidecar.
Status check_header_name(std::string_view name);
/// "Name: value" without control characters; the value may hold {fields}.
Status check_header(std::string_view header);
Status check_group(std::string_view group);
Status check_host_name(std::string_view name);
/// none, environment, or a URL without user and password.
Status check_proxy(std::string_view proxy);

/// Each request carries one event alone.
bool sends_one_event(const DestinationConfig& destination);

/// http:// to a host that is not this machine.
bool is_plain_http_elsewhere(std::string_view url);

}  // namespace outrider::sidecar
