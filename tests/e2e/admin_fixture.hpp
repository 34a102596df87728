// A sidecar with its admin interface, and what its process takes meanwhile.
#pragma once

#include <algorithm>
#include <filesystem>
#include <sstream>

#include "e2e/e2e_fixture.hpp"
#include "support/http_connection.hpp"

namespace outrider::test {

inline const std::string get_health = "GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n";
inline const std::string get_stats = "GET /v1/stats HTTP/1.1\r\nHost: localhost\r\n\r\n";

inline std::string post(const std::string& target, const std::string& body,
                        const std::string& more = "") {
  return "POST " + target + " HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n" +
         "Content-Length: " + std::to_string(body.size()) + "\r\n" + more + "\r\n" + body;
}

class AdminTest : public testing::Test {
 protected:
  static constexpr const char* destination = "[destination.audit]\ntype = stdout\n";

  void start(const std::string& more = "", bool is_expected_to_start = true) {
    sidecar_.emplace(dir_, destination + more, is_expected_to_start);
  }
  std::string path() const { return dir_.file("admin.sock"); }
  HttpConnection connect() const { return HttpConnection(path()); }
  HttpReply ask(const std::string& request) const {
    HttpConnection connection = connect();
    const auto reply = connection.ask(request);
    EXPECT_TRUE(reply) << request << sidecar_->err();
    return reply.value_or(HttpReply{});
  }
  HttpReply get(const std::string& target,
                const std::string& headers = "Host: localhost\r\n") const {
    return ask("GET " + target + " HTTP/1.1\r\n" + headers + "\r\n");
  }

  /// The fastest of a few: a loaded machine delays any of them.
  std::chrono::milliseconds health_time() const {
    auto fastest = std::chrono::milliseconds::max();
    for (int i = 0; i < 5 && fastest > 100ms; ++i) {
      const auto begin = std::chrono::steady_clock::now();
      HttpConnection connection = connect();
      const auto reply = connection.ask(get_health);
      const auto time = std::chrono::steady_clock::now() - begin;
      EXPECT_TRUE(reply && reply->status == 200) << "no good answer while it is attacked";
      fastest = std::min(fastest, std::chrono::duration_cast<std::chrono::milliseconds>(time));
    }
    return fastest;
  }

  std::string process_file(const std::string& name) {
    return read_file("/proc/" + std::to_string(sidecar_->process().pid()) + "/" + name);
  }
  static long number_behind(const std::string& text, const std::string& word) {
    const std::size_t at = text.find(word);
    return at == std::string::npos ? -1 : std::atol(text.c_str() + at + word.size());  // NOLINT
  }
  long memory_kib() { return number_behind(process_file("status"), "RssAnon:"); }

  /// How often the thread of the admin interface has gone to sleep; -1: there is none.
  long sleeps() {
    const std::string tasks = "/proc/" + std::to_string(sidecar_->process().pid()) + "/task";
    for (const auto& task : std::filesystem::directory_iterator(tasks)) {
      if (read_file(task.path() / "comm") != "admin\n") continue;
      return number_behind(read_file(task.path() / "status"), "\nvoluntary_ctxt_switches:");
    }
    return -1;
  }

  /// What the process has worked, in ticks of a hundredth of a second.
  long worked() {
    const std::string stat = process_file("stat");
    std::istringstream words(stat.substr(stat.rfind(')') + 2));
    std::string word;
    for (int i = 0; i < 11; ++i) words >> word;
    long user = 0;
    long system = 0;
    words >> user >> system;
    return user + system;
  }

  TempDir dir_;
  std::optional<Sidecar> sidecar_;
};

}  // namespace outrider::test
