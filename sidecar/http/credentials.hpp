// Credentials: everything that an http destination reads from files, as one immutable snapshot, and
// the store that reads it again when a file has changed.
//
// Used by CurlTransport. Borrows: the log. Thread: the sidecar's one thread. The files may be on a
// file system that does not answer. So after the start a helper thread checks and reads them: it is
// asked before a request, and the last good snapshot is used until it has answered. If that takes
// long, one log line reports it. There is no timer: an idle destination checks nothing and logs
// nothing. A file has changed when stat() of its path shows it; so replacing a link, as Kubernetes
// does, counts. Credentials that cannot be used never replace usable ones: the old snapshot stays,
// and a log line reports it, one of each kind in 10 s. Nothing secret is in a log line or an error.
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
  // Whole files, checked; empty: not configured. The key may be in the certificate's file.
  std::string cert_pem;
  std::string key_pem;
  std::vector<std::string> headers;  ///< "Name: value", ready to be sent
  std::string user_and_password;     ///< of basic authentication; empty: none
  std::string proxy_user_and_password;
  std::vector<SigningKey> signing_keys;  ///< the newest first; empty: requests are not signed
  SecretMask mask;  ///< of all secrets in a request, those that are also in the configuration
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
  std::string last_problem_;  ///< empty: the snapshot matches the files
};

}  // namespace outrider::sidecar
