// Answer: the kept part of an answer while it arrives, and the limits of reading it.
//
// Used by CurlRequest, which feeds it from libcurl's callbacks: lines of heads (interim answers, a
// proxy's answer to CONNECT, the final head, trailers) and parts of the body. The form of a line
// shows its meaning, so that one count bounds them all. Thread: the sidecar's one thread. Owns: the
// beginning of the body, or all of it if the attempt wants it. Limits: heads_bytes_max of all heads
// and trailers, answer_bytes_max of the body. Other bytes, such as chunk extensions, are bounded by
// the time that CurlRequest allows.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

namespace outrider::sidecar {

inline constexpr std::size_t heads_bytes_max = 64U << 10U;
inline constexpr std::size_t answer_bytes_max = 1U << 20U;

class Answer {
 public:
  /// `kept_bytes_max`: of the body; at most answer_bytes_max.
  explicit Answer(std::size_t kept_bytes_max) : kept_bytes_max_(kept_bytes_max) {}

  /// One line of a head, its end included. False: too much has come.
  bool add_head(std::string_view line);
  /// False: too much has come.
  bool add_body(std::string_view bytes);

  /// The head that came last is complete, and so is its status; 0 before that.
  int whole_status() const { return whole_status_; }
  bool has_too_long_head() const { return heads_bytes_ > heads_bytes_max; }
  const std::string& body() const { return body_; }
  std::string take_body() { return std::move(body_); }
  /// Grows with whatever comes.
  std::uint64_t bytes() const { return heads_bytes_ + body_bytes_; }

 private:
  std::size_t kept_bytes_max_;
  int status_ = 0;        ///< of the status line that came last
  int whole_status_ = 0;  ///< the same, once its head is complete
  std::uint64_t heads_bytes_ = 0;
  std::uint64_t body_bytes_ = 0;
  std::string body_;
};

}  // namespace outrider::sidecar
