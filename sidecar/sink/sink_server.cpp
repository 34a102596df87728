#include "sidecar/sink/sink_server.hpp"

#include <atomic>
#include <cerrno>
#include <cstring>
#include <system_error>
#include <thread>

#include <httplib.h>
#include <sys/socket.h>

#include "sidecar/base/thread_probe.hpp"

namespace outrider::sidecar {
namespace {

constexpr std::time_t connection_idle_s_max = 24 * 3600;
constexpr std::time_t request_s_max = 60;

class HttplibServer final : public SinkServer {
 public:
  HttplibServer(std::unique_ptr<httplib::Server> server, Handler handler)
      : server_(std::move(server)), handler_(std::move(handler)) {
    const auto handle = [this](const httplib::Request& request, httplib::Response& response,
                               const httplib::ContentReader& read) {
      answer(request, response, read);
    };
    server_->Post(".*", handle).Put(".*", handle).Patch(".*", handle);
    server_->set_logger([this](const httplib::Request&, const httplib::Response&) {
      if (std::exchange(is_answering, false)) --requests_at_hand_;
    });
    server_->new_task_queue = [] { return new httplib::ThreadPool(connections_max); };
    server_->set_keep_alive_max_count(std::numeric_limits<std::size_t>::max());
    server_->set_keep_alive_timeout(connection_idle_s_max);
    server_->set_read_timeout(request_s_max);
    server_->set_write_timeout(request_s_max);
    server_->set_payload_max_length(body_bytes_max);
    server_->set_tcp_nodelay(true);
    // httplib would set SO_REUSEPORT, and two sinks would silently share one port.
    server_->set_socket_options([](int socket) {
      const int on = 1;
      ::setsockopt(socket, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    });
  }

  Status bind(const std::string& host, int port) {
    errno = 0;
    if (!server_->is_valid()) return Error{"the certificate or its key cannot be used"};
    port_ = port;
    const bool bound = port == 0 ? (port_ = server_->bind_to_any_port(host)) > 0
                                 : server_->bind_to_port(host, port);
    if (bound) return Nothing{};
    const std::string reason =
        errno == 0 ? "no such address" : std::generic_category().message(errno);
    return Error{"cannot listen on " + host + ":" + std::to_string(port) + ": " + reason};
  }

  int port() const override { return port_; }

  void start() override {
    std::thread([this] { server_->listen_after_bind(); }).detach();
  }

  void drain(Duration timeout) override {
    server_->stop();
    const auto deadline = std::chrono::steady_clock::now() + timeout;
    while (requests_at_hand_ > 0 && std::chrono::steady_clock::now() < deadline) {
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
  }

 private:
  void answer(const httplib::Request& request, httplib::Response& response,
              const httplib::ContentReader& read) {
    ++requests_at_hand_;
    is_answering = true;
    SinkRequest received;
    received.content_type = request.get_header_value("Content-Type");
    received.content_encoding = request.get_header_value("Content-Encoding");
    received.idempotency_key = request.get_header_value("Idempotency-Key");
    if (request.has_header("ce-specversion")) {
      received.cloudevent = {.id = request.get_header_value("ce-id"),
                             .topic = request.get_header_value("ce-type"),
                             .time = request.get_header_value("ce-time")};
    }
    // httplib undoes these by itself.
    if (received.content_encoding == "gzip" || received.content_encoding == "deflate") {
      received.content_encoding.clear();
    }
    received.body.reserve(std::min<std::size_t>(
        request.get_header_value<std::uint64_t>("Content-Length"), body_bytes_max));
    received.is_complete = read([&received](const char* data, std::size_t size) {
      received.body.append(data, size);
      return true;
    });
    SinkAnswer answer = handler_(received);
    response.status = answer.status;
    response.body = std::move(answer.body);
    for (const auto& [name, value] : answer.headers) response.set_header(name, value);
  }

  // Set while the thread's connection has a request that is counted in requests_at_hand_.
  static thread_local bool is_answering;

  std::unique_ptr<httplib::Server> server_;
  Handler handler_;
  int port_ = 0;
  std::atomic<int> requests_at_hand_ = 0;
};

thread_local bool HttplibServer::is_answering = false;

}  // namespace

Result<std::unique_ptr<SinkServer>> SinkServer::listen(const std::string& host, int port,
                                                       const Certificate* certificate,
                                                       Handler handler) {
  std::unique_ptr<httplib::Server> server;
  if (certificate == nullptr) {
    server = std::make_unique<httplib::Server>();
  } else {
    server = std::make_unique<httplib::SSLServer>(certificate->x509(), certificate->key());
  }
  auto made = std::make_unique<HttplibServer>(std::move(server), std::move(handler));
  if (Status bound = made->bind(host, port); !bound.ok()) return bound.error();
  // httplib makes them in its own thread, where a failure could not be caught.
  if (Status threads = probe_threads(connections_max + 1); !threads.ok()) return threads.error();
  return std::unique_ptr<SinkServer>(std::move(made));
}

}  // namespace outrider::sidecar
