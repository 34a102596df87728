// App: the whole sidecar as one object, without a socket, a clock or a thread of its own.
//
// Used by Host, which gives it the real world, and by the simulation, which gives it a false one.
// It wires source -> ingest -> router -> destinations -> transports, turns them, and carries out
// the shutdown:
//
//     running    until request_stop()
//     draining   no new clients; what is on its way is still taken, for a moment
//     flushing   nothing is taken any more; destinations send what they hold, at most `linger`
//     finished   what was left is counted as dropped; the report is final
//
// Thread: one thread turns it; request_stop() is safe from any thread. Owns: all its parts.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <string_view>
#include <vector>

#include "sidecar/app/report.hpp"
#include "sidecar/base/agent.hpp"
#include "sidecar/base/log.hpp"
#include "sidecar/base/result.hpp"
#include "sidecar/config/config.hpp"
#include "sidecar/deliver/destination.hpp"
#include "sidecar/ingest/ingest_agent.hpp"
#include "sidecar/route/router.hpp"

namespace outrider::sidecar {

/// What the app is given of the outside world.
struct AppParts {
  using MakeTransport = std::function<Result<std::unique_ptr<Transport>>(
      const DestinationConfig& config, const BodyKind& body)>;

  std::unique_ptr<FrameSource> source;
  MakeTransport make_transport;
  std::uint64_t seed;
};

class App final : public Agent, private RecordSink {
 public:
  static Result<std::unique_ptr<App>> create(const Config& config, AppParts parts, Log& log);

  int do_work(const Now& now) override;
  MonoTime next_deadline() const override;

  /// Begins the shutdown at the next turn. Safe from any thread.
  void request_stop() { is_stop_requested_.store(true, std::memory_order_relaxed); }
  bool is_finished() const { return phase_ == Phase::finished; }

  Report report() const;

  /// When the linger time is over; only once the shutdown has begun.
  MonoTime linger_until() const { return linger_until_; }

 private:
  enum class Phase : std::uint8_t { running, draining, flushing, finished };

  App(const Config& config, std::unique_ptr<FrameSource> source,
      std::vector<std::unique_ptr<Destination>> destinations, Log& log, std::uint64_t seed);

  void accept(proto::ByteView record, std::string_view topic, const Now& now) override;

  void begin_stop(const Now& now);
  void drain(int frames, const Now& now);
  void flush(const Now& now);
  void finish();

  Duration linger_;
  Log& log_;
  std::unique_ptr<FrameSource> source_;
  std::vector<std::unique_ptr<Destination>> destinations_;
  Router router_;
  IngestAgent ingest_;
  std::uint64_t unrouted_ = 0;

  std::atomic<bool> is_stop_requested_ = false;
  Phase phase_ = Phase::running;
  MonoTime drain_until_{};
  MonoTime quiet_until_{};
  MonoTime linger_until_{};
};

}  // namespace outrider::sidecar
