// Secret sources: the place of a secret, as an option names it. The text is one of
//
//   PATH             a file
//   credential:NAME  systemd's: the file NAME in $CREDENTIALS_DIRECTORY
//   env:NAME         a variable of the environment, read at the time of the call
//
// Used by the option table, which checks sources, and by http/credentials.cpp, which reads them.
// At most 64 KiB, trimmed, without a byte order mark and control characters, not empty. Fails with:
// an Error that names the source and never shows its content. It does not show a source that is
// neither a file nor begins like a path: it may be a secret, written in the wrong place.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "sidecar/base/result.hpp"

namespace outrider::sidecar {

inline constexpr std::size_t secret_bytes_max = 64U << 10U;

/// A secret of one line.
Result<std::string> read_secret(std::string_view source);

/// Several secrets, one a line; empty lines are left out. For keys in rotation.
Result<std::vector<std::string>> read_secret_lines(std::string_view source);

/// A secret of the form user:password.
Result<std::string> read_user_and_password(std::string_view source);

/// How errors call the source: file "/etc/token", credential "token".
std::string describe_source(std::string_view source);

/// The file that the source is read from; empty if there is none.
std::string file_of_source(std::string_view source);

/// "Name: SOURCE" as its two parts, trimmed. Fails unless Name can be a header's name.
Result<std::pair<std::string, std::string>> split_secret_header(std::string_view line);

// The same as checks, for the option table: the source can be read now, and its content has the
// right form.
Status check_secret_source(std::string_view source);
Status check_basic_auth_source(std::string_view source);
Status check_secret_header(std::string_view line);

}  // namespace outrider::sidecar
