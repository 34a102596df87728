// HttpRequest, HttpAnswer and HttpHandler: what the HTTP server and the routes of the admin
// interface exchange. Plain values; the server's thread.
#pragma once

#include <algorithm>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace outrider::sidecar {

struct HttpRequest {
  using Pairs = std::vector<std::pair<std::string, std::string>>;

  std::string method;
  std::string path;  ///< decoded, but for %2F: it is no slash
  Pairs arguments;   ///< of the query, decoded
  Pairs headers;     ///< names in small letters
  std::string body;
  std::string peer;  ///< for the log: "unix uid=1000 pid=4711" or "127.0.0.1:53124"

  /// The first of that name.
  std::optional<std::string_view> header(std::string_view small_name) const {
    return find(headers, small_name);
  }
  std::optional<std::string_view> argument(std::string_view name) const {
    return find(arguments, name);
  }

 private:
  static std::optional<std::string_view> find(const Pairs& pairs, std::string_view name) {
    const auto found =
        std::ranges::find_if(pairs, [&](const auto& pair) { return pair.first == name; });
    if (found == pairs.end()) return std::nullopt;
    return found->second;
  }
};

struct HttpAnswer {
  unsigned status = 200;
  std::string content_type = "application/json";
  /// Shared, so that readers of the same text hold it once.
  std::shared_ptr<const std::string> body = std::make_shared<const std::string>();
  HttpRequest::Pairs headers = {};
};

/// Answers requests. It never blocks for long: other requests wait meanwhile.
class HttpHandler {
 public:
  virtual ~HttpHandler() = default;

  /// Of a request without its body: an answer, and the body is not read; nothing, and answer() is
  /// called with all of it.
  virtual std::optional<HttpAnswer> refuse(const HttpRequest& head) = 0;
  virtual HttpAnswer answer(const HttpRequest& request) = 0;
};

/// `text` is a JSON value.
HttpAnswer json_answer(std::string text, unsigned status = 200);

/// {"error": message}
HttpAnswer error_answer(unsigned status, std::string_view message);

}  // namespace outrider::sidecar
