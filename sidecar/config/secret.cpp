#include "sidecar/config/secret.hpp"

#include <cstdlib>

#include "sidecar/base/text.hpp"
#include "sidecar/base/units.hpp"
#include "sidecar/config/checks.hpp"
#include "sidecar/config/file.hpp"
#include "sidecar/config/messages.hpp"

namespace outrider::sidecar {
namespace {

constexpr std::string_view credential_prefix = "credential:";
constexpr std::string_view env_prefix = "env:";
constexpr const char* credentials_directory = "CREDENTIALS_DIRECTORY";

/// Null if it is not set. The sidecar itself sets no variables.
const char* variable(const std::string& name) {
  return std::getenv(name.c_str());  // NOLINT(concurrency-mt-unsafe)
}

Result<std::string> read_variable(std::string_view source) {
  const std::string name(source.substr(env_prefix.size()));
  if (name.empty()) return Error{"env: has no name; write env:NAME"};
  const char* value = variable(name);
  if (value == nullptr) return Error{describe_source(source) + " is not set"};
  std::string text(value);
  if (text.size() > secret_bytes_max) {
    return Error{describe_source(source) + " is larger than " + format_size(secret_bytes_max)};
  }
  return text;
}

/// Some editors begin a text with one; it is no part of the secret.
std::string without_byte_order_mark(std::string text) {
  constexpr std::string_view mark = "\xEF\xBB\xBF";
  if (text.starts_with(mark)) text.erase(0, mark.size());
  return text;
}

Status check_credential(std::string_view source) {
  const std::string_view name = source.substr(credential_prefix.size());
  if (name.empty()) return Error{"credential: has no name; write credential:NAME"};
  if (name == "." || name == ".." || name.find('/') != std::string_view::npos) {
    return Error{describe_source(source) +
                 " is not a name; write credential:NAME, without slashes"};
  }
  if (variable(credentials_directory) == nullptr) {
    return Error{describe_source(source) +
                 " cannot be read: CREDENTIALS_DIRECTORY is not set; let systemd set it with "
                 "LoadCredential= or LoadCredentialEncrypted="};
  }
  return Nothing{};
}

Result<std::string> read_source(std::string_view source) {
  if (source.starts_with(env_prefix)) return read_variable(source);
  if (source.starts_with(credential_prefix)) {
    const Status status = check_credential(source);
    if (!status.ok()) return status.error();
  }
  const std::string path = file_of_source(source);
  Result<std::string> text = read_regular_file(path, secret_bytes_max);
  const bool is_surely_path = path.starts_with('/') || path.starts_with('.');
  if (text.ok()) return without_byte_order_mark(std::move(text.value()));
  if (!is_surely_path && look_at_file(path) == FileState{}) {
    return Error{"there is no such file; write its full path, credential:NAME or env:NAME"};
  }
  return text;
}

bool is_user_and_password(std::string_view secret) {
  return secret.find(':') != std::string_view::npos;
}

}  // namespace

std::string describe_source(std::string_view source) {
  if (source.starts_with(credential_prefix)) {
    return "credential " + in_quotes(source.substr(credential_prefix.size()));
  }
  if (source.starts_with(env_prefix)) {
    return "environment variable " + in_quotes(source.substr(env_prefix.size()));
  }
  return "file " + in_quotes(source);
}

std::string file_of_source(std::string_view source) {
  if (source.starts_with(env_prefix)) return {};
  if (!source.starts_with(credential_prefix)) return std::string(source);
  const char* directory = variable(credentials_directory);
  if (directory == nullptr) return {};
  return std::string(directory) + "/" + std::string(source.substr(credential_prefix.size()));
}

Result<std::vector<std::string>> read_secret_lines(std::string_view source) {
  const Result<std::string> text = read_source(source);
  if (!text.ok()) return text.error();
  std::vector<std::string> lines = split(text.value(), '\n');
  if (lines.empty()) return Error{describe_source(source) + " is empty"};
  for (const std::string& line : lines) {
    if (has_control(line)) {
      return Error{describe_source(source) + " must hold lines of text and nothing else"};
    }
  }
  return lines;
}

Result<std::string> read_secret(std::string_view source) {
  const Result<std::string> text = read_source(source);
  if (!text.ok()) return text.error();
  const std::string_view secret = trim(text.value());
  if (secret.empty()) return Error{describe_source(source) + " is empty"};
  if (has_control(secret)) {
    return Error{describe_source(source) + " must hold one line of text and nothing else"};
  }
  return std::string(secret);
}

Result<std::string> read_user_and_password(std::string_view source) {
  Result<std::string> secret = read_secret(source);
  if (!secret.ok() || is_user_and_password(secret.value())) return secret;
  return Error{describe_source(source) + " must hold one line of the form user:password"};
}

Result<std::pair<std::string, std::string>> split_secret_header(std::string_view line) {
  const std::size_t colon = line.find(':');
  const std::string_view name = trim(line.substr(0, colon));
  const std::string_view source =
      colon == std::string_view::npos ? std::string_view() : trim(line.substr(colon + 1));
  if (source.empty() || !check_header(std::string(name) + ":").ok()) {
    return Error{
        "a secret header is written as Name: SOURCE, where SOURCE is the path of a file, "
        "credential:NAME or env:NAME"};
  }
  return std::pair(std::string(name), std::string(source));
}

Status check_secret_source(std::string_view source) {
  return status_of(read_secret(source));
}

Status check_basic_auth_source(std::string_view source) {
  return status_of(read_user_and_password(source));
}

Status check_secret_header(std::string_view line) {
  const auto parts = split_secret_header(line);
  if (!parts.ok()) return parts.error();
  return check_secret_source(parts.value().second);
}

}  // namespace outrider::sidecar
