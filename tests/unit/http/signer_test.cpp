#include "sidecar/http/signer.hpp"

#include <gtest/gtest.h>

namespace outrider::sidecar {
namespace {

SigningKey key(std::string_view text) {
  return std::move(SigningKey::make(parse_signing_secret(text).value()).value());
}

std::vector<SigningKey> keys(std::initializer_list<std::string_view> texts) {
  std::vector<SigningKey> made;
  for (const std::string_view text : texts) made.push_back(key(text));
  return made;
}

// The vector that the tests of the reference libraries share; the ed25519 one was made with node's
// crypto. Independent verification is in tests/webhooks.
constexpr const char* hmac_secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
constexpr const char* ed25519_secret = "whsk_nWGxne/9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A=";
constexpr const char* id = "msg_p5jXN8AQM9LWM0D4loKWxJek";
constexpr std::int64_t timestamp_s = 1614265330;
constexpr const char* body = "{\"test\": 2432232314}";
constexpr const char* hmac_signature = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=";

TEST(Signer, SignsWithHmac) {
  EXPECT_EQ(sign(keys({hmac_secret}), id, timestamp_s, body), hmac_signature);
}

TEST(Signer, SignsAgainWithTheSameKey) {
  const std::vector<SigningKey> one = keys({hmac_secret});
  const std::string other = sign(one, id, timestamp_s, "another body");
  EXPECT_NE(other, hmac_signature);
  EXPECT_EQ(sign(one, id, timestamp_s, body), hmac_signature);
  EXPECT_EQ(sign(one, id, timestamp_s, "another body"), other);
}

TEST(Signer, SignsWithEd25519) {
  EXPECT_EQ(
      sign(keys({ed25519_secret}), id, timestamp_s, body),
      "v1a,fldxM4gAKugP6nnt1hdz3sgGfZ6d99nzrMFnZOELIxbzEHoVmAb2ADpkJK7zgPePmPsle0zV9jSeGlHFG2NV"
      "Aw==");
}

TEST(Signer, SignsWithSeveralKeysInTheirOrder) {
  const std::string all = sign(keys({ed25519_secret, hmac_secret}), id, timestamp_s, body);
  EXPECT_EQ(all, sign(keys({ed25519_secret}), id, timestamp_s, body) + " " + hmac_signature);
  EXPECT_EQ(sign({}, id, timestamp_s, body), "");
}

TEST(Signer, SignsABodyThatIsEmptyOrLarge) {
  const std::vector<SigningKey> both = keys({hmac_secret, ed25519_secret});
  EXPECT_EQ(sign(both, id, timestamp_s, "").size(), 3U + 44U + 1U + 4U + 88U);
  const std::string large(3U << 20U, '\0');
  EXPECT_EQ(sign(both, id, timestamp_s, large).size(), 3U + 44U + 1U + 4U + 88U);
}

TEST(Signer, AnIdHasNoFullStop) {
  EXPECT_EQ(webhook_id("0190a5c6-0000-7000-8000-000000000001"),
            "0190a5c6-0000-7000-8000-000000000001");
  EXPECT_EQ(webhook_id("order.42%2E"), "order%2E42%252E");
}

}  // namespace
}  // namespace outrider::sidecar
