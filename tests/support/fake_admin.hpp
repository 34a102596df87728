// FakeAdmin: an admin interface on a Unix socket that answers as a test says, and keeps what it was
// asked. Link PkgConfig::httplib and OpenSSL::SSL.
//
// Used by the tests of the commands that talk to a running sidecar. Thread: every member may be
// called while it runs.
#pragma once

#include <map>
#include <mutex>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <httplib.h>
#include <sys/socket.h>

namespace outrider::test {

class FakeAdmin {
 public:
  struct Request {
    std::string method;
    std::string target;  ///< with its arguments
    std::string body;
    std::string content_type;
    std::string authorization;
  };

  explicit FakeAdmin(const std::string& path) {
    server_.set_address_family(AF_UNIX);
    const auto handle = [this](const httplib::Request& request, httplib::Response& response) {
      reply(request, response);
    };
    server_.Get(".*", handle);
    server_.Post(".*", handle);
    if (!server_.bind_to_port(path, 1)) throw std::runtime_error("cannot listen at " + path);
    thread_ = std::thread([this] { server_.listen_after_bind(); });
    while (!server_.is_running()) std::this_thread::yield();
  }
  ~FakeAdmin() {
    server_.stop();
    thread_.join();
  }
  FakeAdmin(const FakeAdmin&) = delete;
  FakeAdmin& operator=(const FakeAdmin&) = delete;

  /// To all requests from now on.
  void answer(int status, std::string body) {
    const std::lock_guard lock(mutex_);
    status_ = status;
    body_ = std::move(body);
  }
  std::vector<Request> received() const {
    const std::lock_guard lock(mutex_);
    return received_;
  }

 private:
  void reply(const httplib::Request& request, httplib::Response& response) {
    const std::lock_guard lock(mutex_);
    received_.push_back({request.method, request.target, request.body,
                         request.get_header_value("Content-Type"),
                         request.get_header_value("Authorization")});
    response.status = status_;
    response.set_content(body_, "application/json");
  }

  httplib::Server server_;
  mutable std::mutex mutex_;
  std::vector<Request> received_;
  int status_ = 200;
  std::string body_;
  std::thread thread_;
};

}  // namespace outrider::test
