// Credentials: everything that an http destination reads from files, as one immutable snapshot, and
// the store that reads it again when a file has changed.
//
// Used by CurlTransport. Borrows: the log. Thread: the sidecar's one thread. Its files may be of a
// file system that does not answer, so after the start they are looked at and read by a helper,
// which is asked before a request, and what was good last is used until it has answered; if that
// takes long the log says so, once. There is no timer: an idle destination
// looks at nothing, and says nothing. A file has changed when stat() says so of what its path leads
// to; so exchanging a link, as Kubernetes does, counts. What cannot be used does not replace what
// could: the old snapshot stays and the log says so, a line of a kind in 10 s. Nothing secret is in
// a log line or an error.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "sidecar/base/clock.hpp"
#include "sidecar/base/log.hpp"
#include "sidecar/base/result.hpp"
#include "sidecar/config/config.hpp"
#include "sidecar/config/file.hpp"
#include "sidecar/http/credential_log.hpp"
#include "sidecar/http/secret_mask.hpp"
#include "sidecar/http/signer.hpp"
#include "sidecar/http/trust.hpp"

namespace outrider::sidecar {

struct Credentials {
  std::shared_ptr<const TrustStore> trust;  ///< of ca_file; null: the system's certificates
  // Whole files, checked; empty: not configured. The key may stand in the certificate's file.
  std::string cert_pem;
  std::string key_pem;
  std::vector<std::string> headers;  ///< "Name: value", ready to be sent
  std::string user_and_password;     ///< of basic authentication; empty: none
  std::string proxy_user_and_password;
  std::vector<SigningKey> signing_keys;  ///< the newest first; empty: requests are not signed
  SecretMask mask;  ///< of all that is secret in a request, what the configuration holds too
};

class CredentialStore {
 public:
  /// Runs a job, now or later, in any thread. False: it never will, and may be asked again.
  using Helper = std::function<bool(std::function<void()>)>;

  /// Reads everything once, in place. Fails with an Error that names option and path.
  static Result<std::unique_ptr<CredentialStore>> open(const DestinationConfig& config,
                                                       std::shared_ptr<TrustStores> trust_stores,
                                                       Helper helper, Log& log);

  /// The snapshot to use now. Has the files looked at once a second at most, and only when called.
  std::shared_ptr<const Credentials> current(const Now& now);

 private:
  struct Files;
  CredentialStore(std::shared_ptr<Files> files, Helper helper, Log& log);

  void look(const Now& now);
  void take_answer(const Now& now);

  const std::shared_ptr<Files> files_;
  const Helper helper_;
  CredentialLog log_;
  std::optional<MonoTime> looking_since_;  ///< the first look since the last answer
  bool is_asked_ = false;                  ///< the helper has the look
  bool is_wait_said_ = false;
  MonoTime look_again_at_{};
  std::shared_ptr<const Credentials> current_;
  std::string last_problem_;  ///< empty: the snapshot is what the files say
};

}  // namespace outrider::sidecar
