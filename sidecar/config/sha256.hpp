// SHA-256 of a text, in hexadecimal, as sha256sum prints it.
//
// Used by load.cpp, to say which configuration is in use. A pure function. Fails with: nothing; an
// empty text if OpenSSL has no SHA-256.
#pragma once

#include <string>
#include <string_view>

namespace outrider::sidecar {

std::string sha256_hex(std::string_view text);

}  // namespace outrider::sidecar
