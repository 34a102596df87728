#include "sidecar/admin/http_server.hpp"

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <charconv>
#include <climits>
#include <csignal>
#include <mutex>
#include <system_error>
#include <thread>
#include <utility>

#include <microhttpd.h>
#include <poll.h>
#include <pthread.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "sidecar/admin/http_places.hpp"
#include "sidecar/admin/peer_name.hpp"
#include "sidecar/admin/url_escapes.hpp"
#include "sidecar/base/handle.hpp"
#include "sidecar/base/text.hpp"
#include "sidecar/base/time_left.hpp"
#include "sidecar/net/socket_gate.hpp"

namespace outrider::sidecar {
namespace {

/// libmicrohttpd's own memory of a connection: the head, as bytes and as a list.
constexpr std::size_t pool_bytes = 2 * HttpServer::head_bytes_max;
/// GnuTLS writes them so.
constexpr const char* tls_versions = "NORMAL:-VERS-ALL:+VERS-TLS1.3:+VERS-TLS1.2";
constexpr int accepts_per_turn = 16;
constexpr Duration idle_wait = std::chrono::hours(1);

using Response = Handle<MHD_Response, MHD_destroy_response>;

void free_body(void* body) {
  delete static_cast<std::shared_ptr<const std::string>*>(body);
}

Response make_response(const HttpAnswer& answer) {
  auto* const body = new std::shared_ptr<const std::string>(answer.body);
  Response response(MHD_create_response_from_buffer_with_free_callback_cls(
      (*body)->size(), const_cast<char*>((*body)->data()), free_body, body));
  if (response == nullptr) {
    free_body(body);
    return response;
  }
  const auto add = [&](const char* name, const std::string& value) {
    MHD_add_response_header(response.get(), name, value.c_str());
  };
  if (!answer.content_type.empty()) add("Content-Type", answer.content_type);
  add("Cache-Control", "no-store");
  add("X-Content-Type-Options", "nosniff");
  for (const auto& [name, value] : answer.headers) add(name.c_str(), value);
  return response;
}

MHD_Result add_pair(HttpRequest::Pairs& pairs, const char* name, const char* value) {
  pairs.emplace_back(name, value == nullptr ? "" : value);
  return MHD_YES;
}

MHD_Result add_header(void* pairs, MHD_ValueKind, const char* name, const char* value) {
  return add_pair(*static_cast<HttpRequest::Pairs*>(pairs), to_lower(name).c_str(), value);
}

MHD_Result add_argument(void* pairs, MHD_ValueKind, const char* name, const char* value) {
  return add_pair(*static_cast<HttpRequest::Pairs*>(pairs), name, value);
}

bool occurs_twice(const HttpRequest& head, std::string_view name) {
  return std::ranges::count_if(head.headers, [&](const auto& it) { return it.first == name; }) > 1;
}

/// Forms of a request that no route has a use for.
std::optional<HttpAnswer> refuse_form(const HttpRequest& head, std::size_t head_bytes,
                                      std::size_t body_bytes) {
  if (head_bytes > HttpServer::head_bytes_max) {
    return error_answer(431, "the head of the request is larger than 8 KiB; send fewer headers");
  }
  if (occurs_twice(head, "content-length") || occurs_twice(head, "host")) {
    return error_answer(400, "content-length or host is given twice; send each once");
  }
  if (head.header("transfer-encoding")) {
    return error_answer(411, "chunked requests are not taken; send content-length");
  }
  const auto expect = head.header("expect");
  if (expect && to_lower(*expect) != "100-continue") {
    return error_answer(417, "only `expect: 100-continue` can be met; leave the header out");
  }
  if (body_bytes > HttpServer::body_bytes_max) {
    return error_answer(413, "the body is larger than 64 KiB; no request needs so much");
  }
  return std::nullopt;
}

/// Decodes the path and the query; false: an escape in them is none.
bool decode_target(HttpRequest& head) {
  const auto decode = [](std::string& text, bool keeps_slashes) {
    auto decoded = decode_escapes(text, keeps_slashes);
    if (decoded) text = std::move(*decoded);
    return decoded.has_value();
  };
  return decode(head.path, true) && std::ranges::all_of(head.arguments, [&](auto& pair) {
           return decode(pair.first, false) && decode(pair.second, false);
         });
}

/// Of a head: MHD has refused what is no number.
std::size_t body_bytes_of(const HttpRequest& head) {
  const std::string_view text = head.header("content-length").value_or("0");
  std::size_t bytes = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), bytes);
  return error == std::errc{} ? bytes : SIZE_MAX;
}

/// One request, from its head to the end of its answer.
struct Exchange {
  HttpRequest request;
  std::optional<HttpAnswer> refusal;
  std::size_t body_bytes = 0;  ///< that are counted
};

}  // namespace

OwnedDescriptor::~OwnedDescriptor() {
  if (fd_ >= 0) ::close(fd_);
}

// In this order: MHD's callbacks use what stands above it.
class HttpServer::Loop {
 public:
  Loop(HttpServerSettings settings, HttpHandler& handler, const Clock& clock)
      : settings_(std::move(settings)),
        handler_(handler),
        clock_(clock),
        places_(settings_.connections_max, [](int fd) { shutdown(fd, SHUT_RDWR); }) {}
  ~Loop();

  Status start();
  void listen_at(OwnedDescriptor listener);

 private:
  void run();
  void wake();
  void take_listener();
  void accept_some(MonoTime now);
  bool accept_one(MonoTime now);
  int wait_ms(MonoTime now) const;

  static MHD_Result on_request(void* self, MHD_Connection* connection, const char* url,
                               const char* method, const char* version, const char* data,
                               std::size_t* bytes, void** exchange);
  MHD_Result begin(MHD_Connection* connection, std::unique_ptr<Exchange> exchange, void** slot);
  MHD_Result go_on(MHD_Connection* connection, Exchange& exchange, const char* data,
                   std::size_t* bytes);
  MHD_Result queue(MHD_Connection* connection, const HttpAnswer& answer);
  static void on_end(void* self, MHD_Connection* connection, void** exchange,
                     MHD_RequestTerminationCode);
  static void on_connection(void* self, MHD_Connection* connection, void** place,
                            MHD_ConnectionNotificationCode code);

  HttpServerSettings settings_;
  HttpHandler& handler_;
  const Clock& clock_;
  HttpPlaces places_;
  OwnedDescriptor wake_;
  std::atomic<bool> is_ending_ = false;
  std::mutex next_mutex_;
  std::optional<OwnedDescriptor> next_listener_;  ///< guarded by it
  MonoTime accept_again_at_{};
  std::size_t bodies_bytes_ = 0;
  Handle<MHD_Daemon, MHD_stop_daemon> daemon_;
  int epoll_fd_ = -1;  ///< the daemon's
  std::thread thread_;
};

namespace {

HttpPlaces::Place* place_of(MHD_Connection* connection) {
  const auto* info = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
  return info == nullptr ? nullptr : static_cast<HttpPlaces::Place*>(info->socket_context);
}

/// Leaves a path and a query as they were sent: MHD would pass over invalid escapes.
std::size_t keep_escaped(void*, MHD_Connection*, char* text) {
  return std::string_view(text).size();
}

}  // namespace

Status HttpServer::Loop::start() {
  wake_ = OwnedDescriptor(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  const bool has_tls = !settings_.certificate.empty();
  std::array<MHD_OptionItem, 8> options = {{
      {MHD_OPTION_CONNECTION_LIMIT, static_cast<std::intptr_t>(settings_.connections_max), nullptr},
      {MHD_OPTION_CONNECTION_MEMORY_LIMIT, static_cast<std::intptr_t>(pool_bytes), nullptr},
      {MHD_OPTION_NOTIFY_COMPLETED, reinterpret_cast<std::intptr_t>(&on_end), this},
      {MHD_OPTION_NOTIFY_CONNECTION, reinterpret_cast<std::intptr_t>(&on_connection), this},
      {has_tls ? MHD_OPTION_HTTPS_MEM_CERT : MHD_OPTION_END, 0, settings_.certificate.data()},
      {MHD_OPTION_HTTPS_MEM_KEY, 0, settings_.key.data()},
      {MHD_OPTION_HTTPS_PRIORITIES, 0, const_cast<char*>(tls_versions)},
      {MHD_OPTION_END, 0, nullptr},
  }};
  const unsigned flags =
      MHD_USE_EPOLL | MHD_USE_NO_LISTEN_SOCKET | (has_tls ? MHD_USE_TLS : MHD_NO_FLAG);
  daemon_.reset(MHD_start_daemon(flags, 0, nullptr, nullptr, &on_request, this,
                                 MHD_OPTION_UNESCAPE_CALLBACK, &keep_escaped, nullptr,
                                 MHD_OPTION_ARRAY, options.data(), MHD_OPTION_END));
  if (daemon_ == nullptr || wake_.get() < 0) {
    return Error{has_tls ? "the HTTP server does not start; it may not take cert_file and key_file"
                         : "the HTTP server does not start; too few descriptors or memory"};
  }
  epoll_fd_ = MHD_get_daemon_info(daemon_.get(), MHD_DAEMON_INFO_EPOLL_FD)->epoll_fd;
  sigset_t all;
  sigset_t before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  Status status = Nothing{};
  try {
    thread_ = std::thread([this] { run(); });
  } catch (const std::system_error& error) {
    status = Error{std::string("no thread for the HTTP server: ") + error.what()};
  }
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  return status;
}

HttpServer::Loop::~Loop() {
  if (!thread_.joinable()) return;
  is_ending_.store(true, std::memory_order_relaxed);
  wake();
  thread_.join();
}

void HttpServer::Loop::wake() {
  const std::uint64_t one = 1;
  [[maybe_unused]] const ssize_t written = write(wake_.get(), &one, sizeof one);
}

void HttpServer::Loop::listen_at(OwnedDescriptor listener) {
  {
    const std::lock_guard lock(next_mutex_);
    next_listener_ = std::move(listener);
  }
  wake();
}

void HttpServer::Loop::take_listener() {
  std::uint64_t times = 0;
  [[maybe_unused]] const ssize_t size = read(wake_.get(), &times, sizeof times);
  const std::lock_guard lock(next_mutex_);
  if (next_listener_) settings_.listener = std::move(*std::exchange(next_listener_, std::nullopt));
}

void HttpServer::Loop::run() {
  pthread_setname_np(pthread_self(), "admin");
  while (!is_ending_.load(std::memory_order_relaxed)) {
    const MonoTime before = clock_.now().mono;
    std::array<pollfd, 3> fds = {
        {{wake_.get(), POLLIN, 0},
         {epoll_fd_, POLLIN, 0},
         // A negative descriptor is passed over.
         {before < accept_again_at_ ? -1 : settings_.listener.get(), POLLIN, 0}}};
    poll(fds.data(), fds.size(), wait_ms(before));
    const MonoTime now = clock_.now().mono;
    if (fds[0].revents != 0) take_listener();
    if (fds[2].revents != 0) accept_some(now);
    MHD_run(daemon_.get());
    places_.end_late(now);
  }
}

int HttpServer::Loop::wait_ms(MonoTime now) const {
  MHD_UNSIGNED_LONG_LONG daemon_ms = 0;
  if (MHD_get_timeout(daemon_.get(), &daemon_ms) == MHD_YES && daemon_ms == 0) return 0;
  MonoTime until = places_.next_deadline();
  if (now < accept_again_at_) until = std::min(until, accept_again_at_);
  if (until == never) return -1;
  const auto wait = std::chrono::ceil<std::chrono::milliseconds>(time_left(until, now, idle_wait));
  return static_cast<int>(wait.count());
}

void HttpServer::Loop::accept_some(MonoTime now) {
  for (int i = 0; i < accepts_per_turn && accept_one(now); ++i) {
    // Those that were ended for it give up their places here.
    MHD_run(daemon_.get());
  }
}

/// False: nobody waits any more, or there is no room.
bool HttpServer::Loop::accept_one(MonoTime now) {
  if (places_.is_full()) {
    places_.make_room();
    return false;
  }
  sockaddr_storage address{};
  socklen_t bytes = sizeof address;
  const int fd = accept4(settings_.listener.get(), reinterpret_cast<sockaddr*>(&address), &bytes,
                         SOCK_NONBLOCK | SOCK_CLOEXEC);
  if (fd < 0) {
    if (errno == EAGAIN) return false;
    if (errno == ECONNABORTED || errno == EINTR) return true;
    // The listener stays readable: to look again at once would be to spin.
    places_.make_room();
    accept_again_at_ = now + accept_pause;
    return false;
  }
  SocketGate::keep_from_children(fd);
  MHD_add_connection(daemon_.get(), fd, reinterpret_cast<sockaddr*>(&address), bytes);
  return true;
}

void HttpServer::Loop::on_connection(void* self, MHD_Connection* connection, void** place,
                                     MHD_ConnectionNotificationCode code) {
  Loop& loop = *static_cast<Loop*>(self);
  if (code == MHD_CONNECTION_NOTIFY_CLOSED) {
    if (*place != nullptr) loop.places_.close(*static_cast<HttpPlaces::Place*>(*place));
    *place = nullptr;
    return;
  }
  const auto* info = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);
  *place = loop.places_.open(info->connect_fd, loop.clock_.now().mono);
}

MHD_Result HttpServer::Loop::on_request(void* self, MHD_Connection* connection, const char* url,
                                        const char* method, const char* version, const char* data,
                                        std::size_t* bytes, void** slot) {
  Loop& loop = *static_cast<Loop*>(self);
  try {
    if (*slot != nullptr) {
      return loop.go_on(connection, *static_cast<Exchange*>(*slot), data, bytes);
    }
    auto exchange = std::make_unique<Exchange>();
    HttpRequest& head = exchange->request;
    head.method = method;
    head.path = url;
    head.peer = peer_name(place_of(connection)->fd);
    MHD_get_connection_values(connection, MHD_HEADER_KIND, add_header, &head.headers);
    MHD_get_connection_values(connection, MHD_GET_ARGUMENT_KIND, add_argument, &head.arguments);
    if (!decode_target(head)) {
      exchange->refusal =
          error_answer(400, "the path or the query has an invalid escape; write % as %25");
    }
    // MHD would say it twice.
    if (std::string_view(version) == "HTTP/1.1" && !head.header("host")) {
      exchange->refusal = error_answer(400, "the request has no host; send the header");
    }
    return loop.begin(connection, std::move(exchange), slot);
  } catch (const std::exception&) {
    return MHD_NO;  // out of memory: the connection ends
  }
}

MHD_Result HttpServer::Loop::begin(MHD_Connection* connection, std::unique_ptr<Exchange> exchange,
                                   void** slot) {
  const HttpRequest& head = exchange->request;
  const std::size_t body_bytes = body_bytes_of(head);
  const std::size_t head_bytes =
      MHD_get_connection_info(connection, MHD_CONNECTION_INFO_REQUEST_HEADER_SIZE)->header_size;
  std::optional<HttpAnswer>& refusal = exchange->refusal;
  if (!refusal) refusal = refuse_form(head, head_bytes, body_bytes);
  if (!refusal) refusal = handler_.refuse(head);
  if (!refusal && bodies_bytes_ + body_bytes > bodies_bytes_max) {
    refusal = error_answer(503, "too many bodies are being sent; try again");
  }
  if (!refusal) {
    exchange->body_bytes = body_bytes;
    bodies_bytes_ += body_bytes;
  }
  const bool has_body = body_bytes > 0 || head.header("transfer-encoding").has_value();
  Exchange& kept = *exchange.release();
  *slot = &kept;
  // Before the body: MHD reads none of it, and closes.
  return kept.refusal && has_body ? queue(connection, *kept.refusal) : MHD_YES;
}

MHD_Result HttpServer::Loop::go_on(MHD_Connection* connection, Exchange& exchange, const char* data,
                                   std::size_t* bytes) {
  if (*bytes > 0) {
    exchange.request.body.append(data, std::exchange(*bytes, 0));
    return MHD_YES;
  }
  if (exchange.refusal) return queue(connection, *exchange.refusal);
  return queue(connection, handler_.answer(exchange.request));
}

MHD_Result HttpServer::Loop::queue(MHD_Connection* connection, const HttpAnswer& answer) {
  const Response response = make_response(answer);
  if (response == nullptr) return MHD_NO;
  places_.begin_answer(*place_of(connection), answer.body->size(), clock_.now().mono);
  return MHD_queue_response(connection, answer.status, response.get());
}

void HttpServer::Loop::on_end(void* self, MHD_Connection* connection, void** slot,
                              MHD_RequestTerminationCode) {
  Loop& loop = *static_cast<Loop*>(self);
  const std::unique_ptr<Exchange> exchange(static_cast<Exchange*>(std::exchange(*slot, nullptr)));
  if (exchange != nullptr) loop.bodies_bytes_ -= exchange->body_bytes;
  if (HttpPlaces::Place* const place = place_of(connection); place != nullptr) {
    loop.places_.end_answer(*place, loop.clock_.now().mono);
  }
}

Result<std::unique_ptr<HttpServer>> HttpServer::open(HttpServerSettings settings,
                                                     HttpHandler& handler, const Clock& clock) {
  auto loop = std::make_unique<Loop>(std::move(settings), handler, clock);
  if (Status status = loop->start(); !status.ok()) return status.error();
  return std::unique_ptr<HttpServer>(new HttpServer(std::move(loop)));
}

HttpServer::HttpServer(std::unique_ptr<Loop> loop) : loop_(std::move(loop)) {}
HttpServer::~HttpServer() = default;

void HttpServer::listen_at(OwnedDescriptor listener) {
  loop_->listen_at(std::move(listener));
}

}  // namespace outrider::sidecar
