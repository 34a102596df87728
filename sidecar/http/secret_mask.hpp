// SecretMask: hides the secrets of a request in the text of its answer, for logs and dead letters.
//
// Some receivers repeat the request in their answers. A secret is found in every form: unchanged,
// percent-encoded (%2B, + for a blank), escaped as in JSON (\", \/, \u00e9) or as in HTML (&amp;,
// &#39;), or in base64; and also if the text ends in the middle of it. A secret that is itself
// percent-encoded, as in a url, is found in its decoded form as well, with each + unchanged or as a
// blank.
//
// Used by Credentials and CurlRequest. Thread: immutable. Owns: copies of the secrets.
// Limits: secrets of fewer than secret_bytes_min bytes are not hidden, because that would hide half
// of any text.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace outrider::sidecar {

/// Empty if it is none. Its padding may be missing.
std::string base64_decoded(std::string_view text);

class SecretMask {
 public:
  static constexpr std::size_t secret_bytes_min = 4;

  SecretMask() = default;
  explicit SecretMask(const std::vector<std::string>& secrets);

  /// The first `bytes_max` bytes of the text, "***" in place of each secret. Looks for secrets
  /// before it cuts; so the text should hold context_bytes() more than that.
  std::string hide(std::string_view text, std::size_t bytes_max) const;

  /// The longest that a secret can be in a text.
  std::size_t context_bytes() const { return context_bytes_; }

 private:
  void add(const std::string& secret);
  std::size_t secret_at(std::string_view text) const;

  std::vector<std::string> secrets_;  ///< the longest first
  std::size_t context_bytes_ = 0;
};

}  // namespace outrider::sidecar
