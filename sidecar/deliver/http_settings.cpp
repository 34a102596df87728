#include "sidecar/deliver/http_settings.hpp"

#include <algorithm>

#include <strings.h>

#include "sidecar/base/text.hpp"

namespace outrider::sidecar {

namespace {

std::string_view header_name(std::string_view line) {
  return trim(line.substr(0, line.find(':')));
}

bool has_header(const std::vector<std::string>& headers, std::string_view name) {
  return std::any_of(headers.begin(), headers.end(), [name](const std::string& line) {
    const std::string_view other = header_name(line);
    return other.size() == name.size() && strncasecmp(other.data(), name.data(), name.size()) == 0;
  });
}

void add_default(std::vector<std::string>& headers, std::string_view name, std::string_view value) {
  if (!has_header(headers, name)) headers.push_back(std::string(name) + ": " + std::string(value));
}

Status set_url(const DestinationConfig& config, HttpSettings& settings) {
  if (config.urls.size() != 1) return Error{"a destination of type http needs exactly one url"};
  const std::string_view url = config.urls.front();
  const bool is_tls = url.starts_with("https://");
  if (!is_tls && !url.starts_with("http://")) {
    return Error{"url " + printable(url, 200) + " must begin with https:// or http://"};
  }
  std::string_view authority = url.substr(is_tls ? 8 : 7);
  authority = authority.substr(0, authority.find_first_of("/?#"));
  if (authority.find('@') != std::string_view::npos) {
    return Error{"url must not hold a user and password: put them into basic_auth_file"};
  }
  if (authority.empty() || has_control(url)) {
    return Error{"url " + printable(url, 200) + " names no host"};
  }
  settings.url = url;
  settings.peer = authority;
  const auto colon = authority.rfind(':');
  const auto bracket = authority.rfind(']');
  if (colon == std::string_view::npos || (bracket != std::string_view::npos && colon < bracket)) {
    settings.peer += is_tls ? ":443" : ":80";
  }
  return Nothing{};
}

Status set_headers(const DestinationConfig& config, std::string_view content_type,
                   HttpSettings& settings) {
  for (const std::string& line : config.headers) {
    const auto colon = line.find(':');
    if (colon == std::string::npos || header_name(line).empty() || has_control(line)) {
      return Error{"header \"" + printable(line.substr(0, colon), 100) +
                   "\" must have the form \"Name: value\""};
    }
    settings.headers.push_back(line);
  }
  add_default(settings.headers, "Content-Type", content_type);
  add_default(settings.headers, "User-Agent", "outrider/" OUTRIDER_VERSION);
  return Nothing{};
}

}  // namespace

Result<HttpSettings> make_http_settings(const DestinationConfig& config,
                                        std::string_view content_type) {
  HttpSettings settings;
  settings.method = config.method;
  settings.timeout = config.timeout;
  settings.connect_timeout = config.connect_timeout;
  if (Status status = set_url(config, settings); !status.ok()) return status.error();
  if (Status status = set_headers(config, content_type, settings); !status.ok()) {
    return status.error();
  }
  return settings;
}

}  // namespace outrider::sidecar
