// sign_webhook KEYS_FILE ID TIMESTAMP <BODY: prints the headers of a signed webhook, for
// verify.mjs.
#include <cstdint>
#include <iostream>
#include <iterator>
#include <string>
#include <vector>

#include "sidecar/http/signer.hpp"

using namespace outrider::sidecar;

int main(int count, char** words) {
  if (count != 4) return 2;
  const Result<std::vector<SigningSecret>> secrets = read_signing_secrets(words[1]);
  if (!secrets.ok()) {
    std::cerr << secrets.error().message << '\n';
    return 1;
  }
  std::vector<SigningKey> keys;
  for (const SigningSecret& secret : secrets.value()) {
    Result<SigningKey> key = SigningKey::make(secret);
    if (!key.ok()) return 1;
    keys.push_back(std::move(key.value()));
  }
  const std::string body((std::istreambuf_iterator<char>(std::cin)), {});
  const std::string id = webhook_id(words[2]);
  const std::int64_t timestamp_s = std::stoll(words[3]);
  std::cout << "webhook-id: " << id << '\n'
            << "webhook-timestamp: " << timestamp_s << '\n'
            << "webhook-signature: " << sign(keys, id, timestamp_s, body) << '\n';
  return 0;
}
