// FaultReceiver: an HTTP/1.1 receiver on 127.0.0.1, plain or TLS, or on a Unix socket, that
// misbehaves on command.
//
// Used by end-to-end tests and, through the fault_receiver program, by benchmarks and people. What
// each request gets is a script (fault_script.hpp); it answers 200 unless told otherwise. It
// keeps what it really received, which is what a sender's ledger is checked against.
//
// With a capacity it serves so many requests at a time, each for `latency`, and lets the others
// wait in the order of their arrival: a receiver with a ceiling, as benchmarks of concurrency need.
//
// Thread: one epoll loop in a thread of its own; every member may be called from any thread.
// Owns: its sockets. Fails with std::system_error or std::runtime_error when it cannot start.
// Limits: input_bytes_max a request. Link outrider_fault_receiver.
#pragma once

#include <chrono>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <unordered_map>
#include <vector>

#include "support/fault_script.hpp"
#include "support/socket_stream.hpp"

namespace outrider::test {

/// What became of a request.
enum class Fate : std::uint8_t {
  open,       ///< the script still runs
  answered,   ///< the script ran to its end
  cut,        ///< the script broke the connection
  abandoned,  ///< the other side did
};

/// One request, or as much of it as came.
struct Arrival {
  std::string head;
  std::string body;
  std::uint64_t connection = 0;  ///< counted from 1
  int peer_port = 0;
  bool is_complete = false;  ///< all of it was read
  int status = 0;            ///< of the answer that was begun, 1xx aside; 0: none
  Fate fate = Fate::open;

  /// The value of a header, in whatever case it came; "" if there is none.
  std::string header(std::string_view name) const;

  /// The sender may take it for delivered: it came whole, and no answer refused it.
  bool is_taken() const { return is_complete && (status == 0 || status / 100 == 2); }
};

class FaultReceiver {
 public:
  static constexpr std::size_t input_bytes_max = 256UL << 20U;

  struct Options {
    std::optional<TlsOptions> tls{};
    int port = 0;                         ///< 0: any
    std::string unix_path{};              ///< listens there, not on a port; no ignore()
    std::size_t capacity = 0;             ///< requests in service at a time; 0: no limit
    std::chrono::milliseconds latency{};  ///< how long each is in service
    bool keeps_arrivals = true;           ///< false: only counts
    int receive_buffer_bytes = 0;         ///< of a connection's socket; 0: the system's choice
    bool holds_small_writes = false;      ///< until those before are acknowledged, as kernels do
  };

  struct Counts {
    std::uint64_t connections = 0;
    std::uint64_t requests = 0;  ///< that came whole
    std::uint64_t answered = 0;
    std::uint64_t cut = 0;
    std::uint64_t abandoned = 0;
    std::uint64_t spoken = 0;  ///< steps of that name that are out
    std::uint64_t in_service = 0;
    std::uint64_t in_service_max = 0;
    std::uint64_t waiting = 0;  ///< for a place
  };

  FaultReceiver() : FaultReceiver(Options{}) {}
  explicit FaultReceiver(Options options);
  ~FaultReceiver();
  FaultReceiver(const FaultReceiver&) = delete;
  FaultReceiver& operator=(const FaultReceiver&) = delete;

  int port() const { return port_; }
  /// http(s)://HOST:PORT/events, or http://unix:PATH:/events
  std::string url(const std::string& host = "127.0.0.1") const;

  /// The next requests get `first`, one each, and all later ones `then`. A script's `choose` runs
  /// in the receiver's thread and must not call the receiver.
  void script_requests(std::vector<Script> first, Script then = answer());

  /// What new connections get below HTTP and TLS, before they are served; nothing if empty. There
  /// is no request yet: of the steps that read only read_bytes, and then the end of the connection.
  void script_connections(std::vector<Script> first, Script then = {});

  void listen();  ///< as it does from the beginning; the port is always the same
  void refuse();  ///< stops listening and ends all connections
  void ignore();  ///< listens and never accepts, its backlog full; ends all connections

  void end_connections();
  /// For new connections.
  void use_tls(const TlsOptions& options);
  void set_capacity(std::size_t capacity);
  void set_latency(std::chrono::milliseconds latency);

  std::vector<Arrival> arrivals() const;
  Counts counts() const;

 private:
  using TimePoint = std::chrono::steady_clock::time_point;
  struct Connection;

  /// Scripts for the first ones, and for all after them.
  struct Plan {
    std::deque<Script> first;
    Script then;

    Script next();
  };

  struct Timer {
    std::uint64_t connection;
    bool ends_work;
  };

  void run();
  void run_timers();
  void accept_all();
  void on_ready(std::uint64_t number, std::uint32_t events);
  bool read_input(Connection& connection);
  void advance(Connection& connection);
  bool do_step(Connection& connection, const Step& step);
  bool send_step(Connection& connection, const Step& step);
  bool send_step_slowly(Connection& connection, const Step& step);
  bool pause(Connection& connection, std::chrono::milliseconds time);
  bool begin_request(Connection& connection);
  bool finish_script(Connection& connection);
  static bool has_come(Connection& connection);
  bool read_request(Connection& connection);
  void end(Connection& connection, Fate fate);
  void give_places();
  void watch(Connection& connection);
  void open_listener();
  void close_listener();
  void wake() const;

  mutable std::mutex mutex_;  ///< guards all below; the loop lets go of it while it waits
  const std::string unix_path_;
  int port_ = 0;
  int reservation_ = -1;  ///< keeps the port ours while nobody listens
  int listener_ = -1;
  int epoll_ = -1;
  int wake_ = -1;
  std::vector<int> backlog_fillers_;
  TlsContext tls_;
  Plan requests_{{}, answer()};
  Plan connections_plan_;
  std::uint64_t connections_made_ = 0;
  std::unordered_map<std::uint64_t, std::unique_ptr<Connection>> connections_;
  std::multimap<TimePoint, Timer> timers_;
  std::deque<std::uint64_t> waiting_;
  std::size_t capacity_;
  std::chrono::milliseconds latency_;
  const bool keeps_arrivals_;
  const int receive_buffer_bytes_;
  const bool holds_small_writes_;
  std::vector<std::shared_ptr<Arrival>> arrivals_;
  Counts counts_;
  bool is_stopped_ = false;
  std::thread thread_;
};

}  // namespace outrider::test
