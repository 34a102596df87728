// Small text helpers that several modules need. Pure functions.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace outrider::sidecar {

std::string_view trim(std::string_view text);

/// Some byte is a control character, a line's end among them.
bool has_control(std::string_view text);

/// A-Z as a-z, everything else as it is.
std::string to_lower(std::string_view text);

/// The parts between separators, trimmed; empty parts are left out.
std::vector<std::string> split(std::string_view text, char separator);

/// "1 event", "2 events".
std::string counted(std::uint64_t count, const std::string& noun);

/// The folder that a file is in; "." if the path names none.
std::string folder_of(const std::string& path);

/// The candidate that `word` was probably meant to be, or an empty view if none is near.
std::string_view nearest(std::string_view word, const std::vector<std::string_view>& candidates);

/// Text in which the words after "token", "password" or "Bearer" and the like are "[redacted]": for
/// answers of strangers, who may repeat the request.
std::string without_secrets(std::string_view text);

/// Text of strangers made safe to print on one line, always valid UTF-8: control bytes and bytes
/// that are not UTF-8 as \xNN; control characters beyond ASCII, the ends of lines, characters that
/// change the direction of text or have no width as \uNNNN, two of them beyond 16 bits; cut at
/// `bytes_max`, between two characters, with "...".
std::string printable(std::string_view text, std::size_t bytes_max);

/// JSON for a terminal: the JSON keeps its meaning and its lines, and characters that printable()
/// would escape are \uNNNN.
std::string printable_json(std::string_view json);

}  // namespace outrider::sidecar
