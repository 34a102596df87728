#include "sidecar/deliver/http_settings.hpp"

#include <algorithm>
#include <cerrno>
#include <fstream>
#include <system_error>

#include <strings.h>
#include <unistd.h>

#include "sidecar/base/text.hpp"
#include "sidecar/config/checks.hpp"

namespace outrider::sidecar {

namespace {

bool has_control(std::string_view text) {
  return std::any_of(text.begin(), text.end(), [](char c) {
    const auto byte = static_cast<unsigned char>(c);
    return byte < 0x20 || byte == 0x7f;
  });
}

Error file_error(const char* option, const std::string& path, const std::string& why) {
  return {std::string(option) + " " + path + ": " + why};
}

Result<std::string> read_secret(const char* option, const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) return file_error(option, path, std::generic_category().message(errno));
  std::string text(secret_file_bytes_max + 1, '\0');
  file.read(text.data(), static_cast<std::streamsize>(text.size()));
  if (file.bad()) return file_error(option, path, "cannot be read");
  text.resize(static_cast<std::size_t>(file.gcount()));
  if (text.size() > secret_file_bytes_max) return file_error(option, path, "is larger than 16KiB");
  std::string secret(trim(text));
  if (secret.empty()) return file_error(option, path, "is empty");
  if (has_control(secret)) {
    return file_error(option, path, "must hold one line of text and nothing else");
  }
  return secret;
}

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

Status set_credentials(const DestinationConfig& config, HttpSettings& settings) {
  if (!config.bearer_token_file.empty() && !config.basic_auth_file.empty()) {
    return Error{"bearer_token_file and basic_auth_file exclude each other"};
  }
  if (!config.bearer_token_file.empty()) {
    Result<std::string> token = read_secret("bearer_token_file", config.bearer_token_file);
    if (!token.ok()) return token.error();
    add_default(settings.headers, "Authorization", "Bearer " + token.value());
  }
  if (!config.basic_auth_file.empty()) {
    Result<std::string> secret = read_secret("basic_auth_file", config.basic_auth_file);
    if (!secret.ok()) return secret.error();
    if (secret.value().find(':') == std::string::npos) {
      return file_error("basic_auth_file", config.basic_auth_file, "must hold user:password");
    }
    settings.user_and_password = std::move(secret.value());
  }
  return Nothing{};
}

Status set_tls_files(const DestinationConfig& config, HttpSettings& settings) {
  const std::pair<const char*, const std::string*> files[] = {{"ca_file", &config.ca_file},
                                                              {"cert_file", &config.cert_file},
                                                              {"key_file", &config.key_file}};
  for (const auto& [option, path] : files) {
    if (!path->empty() && access(path->c_str(), R_OK) != 0) {
      return file_error(option, *path, std::generic_category().message(errno));
    }
  }
  if (config.cert_file.empty() && !config.key_file.empty()) {
    return Error{"key_file needs the cert_file that it belongs to"};
  }
  settings.ca_file = config.ca_file;
  settings.cert_file = config.cert_file;
  settings.key_file = config.key_file;
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
  if (Status status = set_credentials(config, settings); !status.ok()) return status.error();
  if (Status status = set_tls_files(config, settings); !status.ok()) return status.error();
  return settings;
}

}  // namespace outrider::sidecar
