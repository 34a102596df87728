// An HTTP or HTTPS server on a free port of 127.0.0.1, in threads of its own: it keeps what it
// receives and answers as the test says. List https_server.cpp among the test's sources and link
// PkgConfig::httplib and OpenSSL::SSL.
// Thread: every member may be called from the test's thread while the server runs.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "support/certificate.hpp"

namespace outrider::test {

struct ReceivedRequest {
  std::string method;
  std::string path;
  std::string body;
  std::multimap<std::string, std::string> headers;
  int peer_port = 0;        ///< tells connections apart
  std::string client_name;  ///< the common name of the client's certificate
  std::string server_name;  ///< that the client asked for in the TLS handshake

  /// The first value of that name in the spelling in which it was sent, or "".
  std::string header(const std::string& name) const {
    const auto found = headers.find(name);
    return found == headers.end() ? "" : found->second;
  }
};

struct ServerAnswer {
  int status = 200;
  std::string body;
  std::multimap<std::string, std::string> headers;
};

class HttpsServer {
 public:
  /// Called in a thread of the server; it may block to delay its answer.
  using Handler = std::function<ServerAnswer(const ReceivedRequest&)>;

  /// Answers 200 where there is no handler. With a certificate it speaks TLS; with a client_ca_file
  /// the client must show a certificate that one of the file's has signed.
  explicit HttpsServer(Handler handler = {}, const Certificate* certificate = nullptr,
                       const std::string& client_ca_file = "");
  ~HttpsServer();

  /// From now on nobody gets in with a newer TLS than 1.2.
  void speak_old_tls();

  int port() const;
  /// http(s)://127.0.0.1:PORT/events
  std::string url() const;
  std::vector<ReceivedRequest> received() const;
  std::size_t connections() const;

 private:
  class State;
  std::unique_ptr<State> state_;
};

}  // namespace outrider::test
