#include "sidecar/config/sha256.hpp"

#include <array>

#include <openssl/evp.h>

namespace outrider::sidecar {

std::string sha256_hex(std::string_view text) {
  constexpr std::string_view digits = "0123456789abcdef";
  std::array<unsigned char, EVP_MAX_MD_SIZE> hash{};
  unsigned int bytes = 0;
  if (EVP_Digest(text.data(), text.size(), hash.data(), &bytes, EVP_sha256(), nullptr) != 1) {
    return {};
  }
  std::string hex;
  for (unsigned int i = 0; i < bytes; ++i) {
    hex += digits[hash[i] >> 4U];
    hex += digits[hash[i] & 15U];
  }
  return hex;
}

}  // namespace outrider::sidecar
