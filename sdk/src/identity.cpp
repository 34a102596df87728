#include "sdk/src/identity.hpp"

#include <new>

#include <sys/random.h>
#include <unistd.h>

namespace outrider::sdk {

bool Identity::make() {
  const auto id_bytes = static_cast<ssize_t>(client_id.size());
  const bool is_random = getrandom(client_id.data(), client_id.size(), 0) == id_bytes;
  if (!is_random) client_id = {};
  pid = static_cast<std::uint64_t>(getpid());
  std::array<char, 256> name{};
  try {
    if (gethostname(name.data(), name.size() - 1) == 0) host = name.data();
  } catch (const std::bad_alloc&) {
  }
  return is_random;
}

proto::FrameHeaderFields Identity::header(std::uint64_t sequence) const {
  proto::FrameHeaderFields fields;
  fields.client_id = client_id;
  fields.sequence = sequence;
  fields.host = host;
  fields.pid = pid;
  fields.library = "outrider-cpp/" OUTRIDER_VERSION;
  return fields;
}

}  // namespace outrider::sdk
