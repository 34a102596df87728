// Result<T>: a value, or an Error that a person can act on. Nothing in the sidecar throws across a
// module's border; the file that wraps third-party code catches its exceptions.
#pragma once

#include <string>
#include <utility>
#include <variant>

namespace outrider::sidecar {

/// The error, its place and its remedy, in one line.
struct Error {
  std::string message;

  /// The same error with more context in front: "destination audit: ...".
  Error with_prefix(const std::string& prefix) const { return {prefix + ": " + message}; }
};

template <typename T>
class [[nodiscard]] Result {
 public:
  Result(T value) : state_(std::move(value)) {}      // NOLINT: implicit on purpose
  Result(Error error) : state_(std::move(error)) {}  // NOLINT: implicit on purpose

  bool ok() const { return std::holds_alternative<T>(state_); }
  T& value() { return std::get<T>(state_); }
  const T& value() const { return std::get<T>(state_); }
  const Error& error() const { return std::get<Error>(state_); }

 private:
  std::variant<T, Error> state_;
};

struct Nothing {};
using Status = Result<Nothing>;

/// Of an action without a value.
template <typename T>
Status status_of(const Result<T>& result) {
  if (!result.ok()) return result.error();
  return Nothing{};
}

}  // namespace outrider::sidecar
