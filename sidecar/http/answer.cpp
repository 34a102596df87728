#include "sidecar/http/answer.hpp"

#include <charconv>

namespace outrider::sidecar {
namespace {

/// Of "HTTP/1.1 200 OK" or "HTTP/2 200"; 0 if the line is no status line.
int status_of(std::string_view line) {
  constexpr std::string_view mark = "HTTP/";
  const std::size_t blank = line.find(' ');
  if (!line.starts_with(mark) || blank == std::string_view::npos) return 0;
  int status = 0;
  std::from_chars(line.data() + blank + 1, line.data() + line.size(), status);
  return status;
}

}  // namespace

bool Answer::add_head(std::string_view line) {
  heads_bytes_ += line.size();
  if (const int status = status_of(line); status != 0) {
    status_ = status;
    whole_status_ = 0;
  } else if (line == "\r\n" || line == "\n") {
    whole_status_ = status_;
  }
  return !has_too_long_head();
}

bool Answer::add_body(std::string_view bytes) {
  body_bytes_ += bytes.size();
  body_.append(bytes.substr(0, kept_bytes_max_ - body_.size()));
  return body_bytes_ <= answer_bytes_max;
}

}  // namespace outrider::sidecar
