#include "sidecar/cli/version_command.hpp"

#include <array>
#include <cstdio>

#include <curl/curl.h>
#include <openssl/crypto.h>
#include <zmq.h>

#include "sidecar/arguments/arguments.hpp"
#include "sidecar/arguments/exit_status.hpp"

namespace outrider::sidecar {

std::string version_text() {
  int major = 0;
  int minor = 0;
  int patch = 0;
  zmq_version(&major, &minor, &patch);
  std::array<char, 512> text;
  std::snprintf(text.data(), text.size(), "outrider %s\nlibzmq %d.%d.%d\nlibcurl %s\n%s\n",
                OUTRIDER_VERSION, major, minor, patch, curl_version_info(CURLVERSION_NOW)->version,
                OpenSSL_version(OPENSSL_VERSION));
  return text.data();
}

int version_command(const std::vector<std::string>& arguments) {
  const ArgumentTable table{.usage = "outrider --version"};
  if (const auto status = read_arguments(table, arguments)) return *status;
  std::fputs(version_text().c_str(), stdout);
  return exit_done;
}

}  // namespace outrider::sidecar
