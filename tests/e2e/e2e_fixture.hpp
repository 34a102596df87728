// The real programs, as an operator would start them: sink, sidecar, clients.
//
// Used by the end-to-end tests. Everything is on loopback, with free ports and short temporary
// paths; whatever is waited for has a deadline.
#pragma once

#include <algorithm>
#include <chrono>
#include <fstream>
#include <map>
#include <memory>
#include <set>
#include <sstream>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "outrider/client.hpp"
#include "support/places.hpp"
#include "support/process.hpp"
#include "support/temp_dir.hpp"

namespace outrider::test {

using namespace std::chrono_literals;

inline std::string read_file(const std::string& path) {
  std::ifstream file(path);
  std::stringstream text;
  text << file.rdbuf();
  return text.str();
}

inline void write_file(const std::string& path, const std::string& text) {
  std::ofstream(path) << text;
}

/// Polls; for what cannot be waited for otherwise.
template <typename Condition>
bool eventually(const Condition& condition, std::chrono::milliseconds patience = 30s) {
  const auto deadline = std::chrono::steady_clock::now() + patience;
  while (!condition()) {
    if (std::chrono::steady_clock::now() > deadline) return false;
    std::this_thread::sleep_for(5ms);
  }
  return true;
}

/// `outrider sink`.
class Sink {
 public:
  /// `name` keeps apart the files of several sinks; `port` 0 is any.
  Sink(const TempDir& dir, std::vector<std::string> options = {}, const std::string& name = "sink",
       const std::string& port = "0")
      : output_file_(dir.file(name + ".ndjson")), cert_file_(dir.file(name + ".pem")) {
    std::vector<std::string> words = {test::outrider_binary(),
                                      "sink",
                                      "--listen",
                                      "127.0.0.1:" + port,
                                      "--quiet",
                                      "--output",
                                      output_file_};
    const bool is_plain = std::ranges::find(options, "--plain") != options.end();
    const bool has_cert = std::ranges::find(options, "--cert") != options.end();
    if (!is_plain && !has_cert) words.insert(words.end(), {"--cert-out", cert_file_});
    words.insert(words.end(), options.begin(), options.end());
    process_ = std::make_unique<Process>(words);
    const auto line = process_->wait_for_line("listening on ");
    EXPECT_TRUE(line) << process_->text(Process::Stream::err);
    if (line) url_ = line->substr(std::string("listening on ").size());
  }

  const std::string& url() const { return url_; }
  std::string port() const { return url_.substr(url_.rfind(':') + 1); }
  const std::string& cert_file() const { return cert_file_; }
  Process& process() { return *process_; }

  /// The values of `"n":` in the order of their arrival.
  std::vector<long> numbers() const {
    std::vector<long> found;
    const std::string text = read_file(output_file_);
    for (std::size_t at = 0; (at = text.find("\"n\":", at)) != std::string::npos; at += 4) {
      found.push_back(std::atol(text.c_str() + at + 4));  // NOLINT(cert-err34-c)
    }
    return found;
  }
  std::string output() const { return read_file(output_file_); }

 private:
  std::string output_file_;
  std::string cert_file_;
  std::string url_;
  std::unique_ptr<Process> process_;
};

/// One row of the ledger that the sidecar prints at the end.
struct LedgerRow {
  std::uint64_t accepted = 0, delivered = 0, left = 0, dropped = 0, dead = 0, spooled = 0,
                scheduled = 0, queued = 0, in_flight = 0;

  bool is_balanced() const {
    return accepted == delivered + left + dropped + dead + spooled + scheduled + queued + in_flight;
  }
};

/// `outrider run`.
class Sidecar {
 public:
  /// `environment`: "NAME=value", on top of the test's own. `binary`: another build of it.
  Sidecar(const TempDir& dir, const std::string& config, bool is_expected_to_start = true,
          std::vector<std::string> environment = {},
          const std::string& binary = test::outrider_binary())
      : endpoint_("ipc://" + dir.file("o.sock")) {
    const std::string file = dir.file("outrider.conf");
    write_file(file, config);
    process_ = std::make_unique<Process>(
        std::vector<std::string>{binary, "run", "--config", file, "--ingest.endpoint=" + endpoint_},
        Process::Options{.environment = std::move(environment)});
    if (is_expected_to_start) {
      EXPECT_TRUE(process_->wait_for_line(" ready ", Process::Stream::err)) << err();
    }
  }

  const std::string& endpoint() const { return endpoint_; }
  Process& process() { return *process_; }
  std::string err() const { return process_->text(Process::Stream::err); }

  /// SIGTERM; returns the exit status.
  int stop() {
    process_->signal(SIGTERM);
    return process_->wait(60s).value_or(-1);
  }

  /// Of the report at the end.
  LedgerRow ledger(const std::string& destination) const {
    LedgerRow row;
    const std::string text = err();
    const std::size_t begin = text.rfind("\nledger\n");
    if (begin == std::string::npos) {
      ADD_FAILURE() << "no ledger in:\n" << text;
      return row;
    }
    std::istringstream lines(text.substr(begin));
    for (std::string line; std::getline(lines, line);) {
      std::istringstream words(line);
      std::string name;
      words >> name;
      if (name != destination) continue;
      words >> row.accepted >> row.delivered >> row.left >> row.dropped >> row.dead >>
          row.spooled >> row.scheduled >> row.queued >> row.in_flight;
      EXPECT_TRUE(row.is_balanced()) << line;
      return row;
    }
    ADD_FAILURE() << "no " << destination << " in:\n" << text;
    return row;
  }

 private:
  std::string endpoint_;
  std::unique_ptr<Process> process_;
};

/// For tests of what is delivered, not of what is dropped: a loaded machine's receiver is slow.
inline const std::string roomy_queue = "queue_events_max = 10000000\nqueue_bytes_max = 2GiB\n";

inline std::string https_destination(const std::string& name, const Sink& sink,
                                     const std::string& more = "") {
  return "[destination." + name + "]\ntype = http\nurl = " + sink.url() +
         "/events\nca_file = " + sink.cert_file() + "\nretry_initial = 50ms\n" + more + "\n";
}

/// Emits {"n": first} to {"n": last}.
inline void emit_numbers(Client& client, long first, long last,
                         std::string_view topic = "orders.paid") {
  for (long n = first; n <= last; ++n) {
    ASSERT_EQ(client.emit_wait(10s, topic, {{"n", n}}), Status::ok);
  }
}

inline std::vector<long> range(long first, long last) {
  std::vector<long> numbers;
  for (long n = first; n <= last; ++n) numbers.push_back(n);
  return numbers;
}

inline std::vector<long> sorted(std::vector<long> numbers) {
  std::ranges::sort(numbers);
  return numbers;
}

inline std::set<long> distinct(const std::vector<long>& numbers) {
  return {numbers.begin(), numbers.end()};
}

}  // namespace outrider::test
