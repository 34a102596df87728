#include "support/https_server.hpp"

#include <mutex>
#include <set>
#include <stdexcept>
#include <thread>

#include <httplib.h>

namespace outrider::test {

class HttpsServer::State {
 public:
  State(Handler handler, const Certificate* certificate, const std::string& client_ca_file)
      : handler_(std::move(handler)), is_tls_(certificate != nullptr) {
    if (is_tls_) {
      server_ = std::make_unique<httplib::SSLServer>(
          certificate->cert_file.c_str(), certificate->key_file.c_str(),
          client_ca_file.empty() ? nullptr : client_ca_file.c_str());
    } else {
      server_ = std::make_unique<httplib::Server>();
    }
    server_->new_task_queue = [] { return new httplib::ThreadPool(16); };
    server_->set_keep_alive_max_count(1'000'000);
    server_->set_tcp_nodelay(true);
    const auto handle = [this](const httplib::Request& request, httplib::Response& response) {
      answer(request, response);
    };
    server_->Post(".*", handle);
    server_->Put(".*", handle);
    port_ = server_->bind_to_any_port("127.0.0.1");
    if (port_ < 0) throw std::runtime_error("the test's server cannot listen");
    thread_ = std::thread([this] { server_->listen_after_bind(); });
    while (!server_->is_running()) std::this_thread::yield();
  }

  ~State() {
    server_->stop();
    thread_.join();
  }

  void speak_old_tls() {
    SSL_CTX* context = static_cast<httplib::SSLServer&>(*server_).ssl_context();
    SSL_CTX_set_max_proto_version(context, TLS1_2_VERSION);
  }

  int port() const { return port_; }
  bool is_tls() const { return is_tls_; }

  std::vector<ReceivedRequest> received() const {
    const std::lock_guard lock(mutex_);
    return received_;
  }

 private:
  static std::string client_name(const httplib::Request& request) {
    if (request.ssl == nullptr) return "";
    X509* certificate = SSL_get1_peer_certificate(request.ssl);
    if (certificate == nullptr) return "";
    char name[256] = "";
    X509_NAME_get_text_by_NID(X509_get_subject_name(certificate), NID_commonName, name,
                              sizeof name);
    X509_free(certificate);
    return name;
  }

  static std::string server_name(const httplib::Request& request) {
    if (request.ssl == nullptr) return "";
    const char* name = SSL_get_servername(request.ssl, TLSEXT_NAMETYPE_host_name);
    return name == nullptr ? "" : name;
  }

  void answer(const httplib::Request& request, httplib::Response& response) {
    ReceivedRequest kept{request.method,      request.path,         request.body,        {},
                         request.remote_port, client_name(request), server_name(request)};
    for (const auto& [name, value] : request.headers) kept.headers.emplace(name, value);
    {
      const std::lock_guard lock(mutex_);
      received_.push_back(kept);
    }
    const ServerAnswer given = handler_ ? handler_(kept) : ServerAnswer{};
    response.status = given.status;
    for (const auto& [name, value] : given.headers) response.set_header(name, value);
    response.set_content(given.body, "text/plain");
  }

  Handler handler_;
  const bool is_tls_;
  std::unique_ptr<httplib::Server> server_;
  int port_ = 0;
  mutable std::mutex mutex_;
  std::vector<ReceivedRequest> received_;
  std::thread thread_;
};

HttpsServer::HttpsServer(Handler handler, const Certificate* certificate,
                         const std::string& client_ca_file)
    : state_(std::make_unique<State>(std::move(handler), certificate, client_ca_file)) {}

HttpsServer::~HttpsServer() = default;

void HttpsServer::speak_old_tls() {
  state_->speak_old_tls();
}

int HttpsServer::port() const {
  return state_->port();
}

std::string HttpsServer::url() const {
  return (state_->is_tls() ? "https://127.0.0.1:" : "http://127.0.0.1:") + std::to_string(port()) +
         "/events";
}

std::vector<ReceivedRequest> HttpsServer::received() const {
  return state_->received();
}

std::size_t HttpsServer::connections() const {
  std::set<int> ports;
  for (const ReceivedRequest& request : received()) ports.insert(request.peer_port);
  return ports.size();
}

}  // namespace outrider::test
