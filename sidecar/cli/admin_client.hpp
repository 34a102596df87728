// AdminClient: requests to the admin interface of a running sidecar.
//
// Used by the commands that look at a running sidecar or change it. One request at a time, over a
// Unix socket or TCP, without a proxy and without following redirects.
// Thread: one. Owns: the connection. Fails with: an Error in one line that says why nobody answers,
// and what to do.
// Limits: `timeout` for a whole request; answer_bytes_max.
#pragma once

#include <cstddef>
#include <string>

#include "sidecar/base/clock.hpp"
#include "sidecar/base/result.hpp"
#include "sidecar/config/admin_address.hpp"

namespace outrider::sidecar {

/// Where the interface is, and what it takes to get in.
struct AdminTarget {
  AdminAddress address;
  std::string token;      ///< empty: none is sent
  std::string endpoint;   ///< of the sidecar that is meant; empty: of the one that listens
  std::string cert_file;  ///< the certificate that it shows; empty: no TLS
};

struct AdminReply {
  long status = 0;
  std::string body;

  bool is_good() const { return status >= 200 && status < 300; }
};

class AdminClient {
 public:
  static constexpr std::size_t answer_bytes_max = 64U << 20U;
  static constexpr Duration timeout_default = std::chrono::seconds(5);

  explicit AdminClient(AdminTarget target, Duration timeout = timeout_default);
  ~AdminClient();
  AdminClient(const AdminClient&) = delete;
  AdminClient& operator=(const AdminClient&) = delete;

  /// `path` with its arguments, as in /v1/changes?since=7
  Result<AdminReply> get(const std::string& path);
  Result<AdminReply> post(const std::string& path, const std::string& json);

 private:
  Result<AdminReply> ask(const std::string& path, const std::string* json);
  Error failure(int code) const;

  const AdminTarget target_;
  void* const easy_;
};

/// A word as part of a path, or as the value of an argument.
std::string escape_url_part(const std::string& word);

}  // namespace outrider::sidecar
