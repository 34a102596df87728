#include "sidecar/config/secret_files.hpp"

#include <array>
#include <utility>

#include <sys/stat.h>
#include <unistd.h>

#include "sidecar/base/text.hpp"
#include "sidecar/config/messages.hpp"
#include "sidecar/config/secret.hpp"

namespace outrider::sidecar {
void warn_of_source(const char* key, const std::string& source, std::size_t index,
                    const SectionView& section) {
  if (source.empty() || section.has_failed(key)) return;
  const std::string exposure = exposure_of(file_of_source(source));
  if (!exposure.empty()) section.warn_of(key, describe_source(source) + " " + exposure, index);
}

std::string exposure_of(const std::string& path) {
  struct stat status {};
  if (path.empty() || stat(path.c_str(), &status) != 0) return {};
  if ((status.st_mode & (S_IWGRP | S_IWOTH)) != 0) {
    return "can be changed by users other than its owner; chmod 0640 or 0600";
  }
  if ((status.st_mode & S_IROTH) != 0) {
    return "can be read by every user of this machine; chmod 0640 or 0600";
  }
  struct stat folder {};
  if (stat(folder_of(path).c_str(), &folder) == 0 && (folder.st_mode & S_IWOTH) != 0 &&
      (folder.st_mode & S_ISVTX) == 0) {
    return "can be replaced by every user of this machine; chmod o-w its folder";
  }
  // Whoever checks as root checks for somebody else.
  const uid_t self = geteuid();
  if (self == 0 || status.st_uid == 0 || status.st_uid == self) return {};
  return "belongs to another user (uid " + std::to_string(status.st_uid) +
         "), who can read and change it; chown it to root or to the sidecar's user";
}

void warn_of_readers(const DestinationConfig& destination, const SectionView& section) {
  const std::array<std::pair<const char*, const std::string&>, 3> sources = {
      {{"bearer_token_file", destination.bearer_token_file},
       {"basic_auth_file", destination.basic_auth_file},
       {"proxy_auth_file", destination.proxy_auth_file}}};
  for (const auto& [key, source] : sources) warn_of_source(key, source, 0, section);
  // The key may be in the certificate's file.
  const bool has_key_file = !destination.key_file.empty();
  warn_of_source(has_key_file ? "key_file" : "cert_file",
                 has_key_file ? destination.key_file : destination.cert_file, 0, section);
  for (std::size_t i = 0; i < destination.signing_secret_files.size(); ++i) {
    warn_of_source("signing_secret_file", destination.signing_secret_files[i], i, section);
  }
  for (std::size_t i = 0; i < destination.secret_headers.size(); ++i) {
    const auto parts = split_secret_header(destination.secret_headers[i]);
    if (parts.ok()) warn_of_source("secret_header", parts.value().second, i, section);
  }
}

}  // namespace outrider::sidecar
