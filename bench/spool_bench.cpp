// The spool alone, with its storage thread and the real disk: how fast events are spilled and read
// back, what opening a large backlog costs, and what a million scheduled events do.
//
//     spool_bench FOLDER spill EVENTS | fill GIB | open | schedule EVENTS EVENTS_PER_SECOND
//
// `open` measures what `fill` has left in FOLDER. Prints JSON lines {"name", "value", "unit"}.
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <memory>
#include <string>
#include <vector>

#include <msgpack.hpp>

#include "bench/figures.hpp"
#include "bench/reference_event.hpp"
#include "sidecar/base/log.hpp"
#include "sidecar/base/reactor.hpp"
#include "sidecar/spool/spool.hpp"
#include "sidecar/spool/storage_thread.hpp"

namespace outrider::bench {
namespace {

using namespace sidecar;

constexpr std::uint64_t plenty = std::uint64_t{1} << 40U;

[[noreturn]] void fail(const std::string& what) {
  std::fprintf(stderr, "spool_bench: %s\n", what.c_str());
  std::_Exit(1);
}

double resident_mib() {
  std::ifstream statm("/proc/self/statm");
  std::uint64_t size = 0;
  std::uint64_t resident = 0;
  statm >> size >> resident;
  return static_cast<double>(resident * 4096) / (1U << 20U);
}

/// The sidecar's side of the spool, as the run loop turns it, with one destination.
class World {
 public:
  explicit World(const std::string& folder)
      : log_(make_stderr_log(LogLevel::warn, LogFormat::text)) {
    StorageSettings settings;
    settings.path = folder + "/spool.db";
    settings.log_bytes = StoreKeeper::log_bytes;
    settings.dead = {1000, plenty, std::chrono::hours(1)};
    settings.lanes = {"destination"};
    auto agent = StorageAgent::open(settings, open_disk(), exchange_, *log_, clock_.now());
    if (!agent.ok()) fail(agent.error().message);
    SpoolSettings spool;
    spool.bytes_max = plenty;
    spool.lanes = {{plenty, std::chrono::hours(10'000), false}};
    spool_ = std::make_unique<Spool>(spool, agent.value()->state().lanes, exchange_, *log_);
    spool_->lane(0).attach(ledger);
    exchange_.wake_sidecar = [this] { reactor_.wake(); };
    thread_ = std::make_unique<StorageThread>(std::move(agent.value()), exchange_, clock_);
  }

  Lane& lane() { return spool_->lane(0); }
  Now now() const { return clock_.now(); }

  /// One turn of the loop; `work` does its part of it and says whether it has more to do.
  template <typename Work>
  void turn(const Work& work) {
    spool_->do_work(now());
    const bool has_more = work();
    spool_->hand_over(now());
    reactor_.wait(has_more ? Duration::zero() : std::chrono::milliseconds(20));
  }

  bool is_idle() const { return spool_->is_idle(); }

  Ledger ledger;

 private:
  SystemClock clock_;
  Reactor reactor_;
  std::unique_ptr<Log> log_;
  Exchange exchange_;
  std::unique_ptr<Spool> spool_;
  std::unique_ptr<StorageThread> thread_;
};

class Records {
 public:
  Records() {
    msgpack::sbuffer data;
    msgpack::packer<msgpack::sbuffer> packer(data);
    pack_reference_data(packer);
    proto::EventView event;
    event.topic = reference_topic;
    event.time_ns = 1;
    event.data = proto::as_bytes({data.data(), data.size()});
    const std::vector<std::uint8_t> id(16, 7);
    const RecordContext context{id, "app-7.web.fra1.example.com", SystemClock().now()};
    bytes_.resize(record_bytes(event, context));
    write_record(event, context, bytes_.data());
  }
  RecordView view() const { return read_record(bytes_.data()); }

 private:
  std::vector<std::uint8_t> bytes_;
};

double seconds_since(MonoTime begin) {
  return std::chrono::duration<double>(SystemClock().now().mono - begin).count();
}

/// Appends as many as there is room for, until all are on disk.
void spill(World& world, std::uint64_t events) {
  const Records records;
  std::uint64_t appended = 0;
  while (appended < events || !world.is_idle()) {
    world.turn([&] {
      const Now now = world.now();
      std::uint64_t left = 10'000;
      while (appended < events && left-- > 0 && world.lane().append(records.view(), now))
        ++appended;
      return appended < events && left == UINT64_MAX;
    });
  }
}

void measure_spill(const std::string& folder, std::uint64_t events) {
  World world(folder);
  MonoTime begin = world.now().mono;
  const double cpu_before = cpu_ns();
  spill(world, events);
  print_figure("spill_per_s", static_cast<double>(events) / seconds_since(begin), "/s");
  print_figure("spill_cpu", (cpu_ns() - cpu_before) / static_cast<double>(events), "ns");

  begin = world.now().mono;
  const double cpu_between = cpu_ns();
  std::vector<std::uint8_t> record;
  std::uint64_t taken = 0;
  while (taken < events || !world.is_idle()) {
    world.turn([&] {
      const Now now = world.now();
      Lane& lane = world.lane();
      for (; lane.has_next(); ++taken) {
        record.resize(restored_record_bytes(lane.next()));
        restore_record(lane.next(), lane.next_origin(), now, record.data());
        lane.take_next();
        lane.settle(read_record(record.data()));
      }
      lane.read_ahead();
      return false;
    });
  }
  print_figure("reread_per_s", static_cast<double>(events) / seconds_since(begin), "/s");
  print_figure("reread_cpu", (cpu_ns() - cpu_between) / static_cast<double>(events), "ns");
  if (world.ledger.spooled != 0 || world.ledger.dropped_total() != 0) fail("the ledger is wrong");
}

void measure_open(const std::string& folder) {
  const double before_mib = resident_mib();
  const MonoTime begin = SystemClock().now().mono;
  World world(folder);
  print_figure("open", seconds_since(begin), "s");
  while (!world.lane().has_next()) {
    world.turn([&] {
      world.lane().read_ahead();
      return false;
    });
  }
  print_figure("open_to_first_event", seconds_since(begin), "s");
  print_figure("open_rss_growth", resident_mib() - before_mib, "MiB");
  print_figure("open_events", static_cast<double>(world.ledger.spooled), "");
}

void measure_schedule(const std::string& folder, std::uint64_t events, double events_per_s) {
  World world(folder);
  const double before_mib = resident_mib();
  const Records records;
  // In no order, so that the table is built as it is in life.
  const std::uint64_t step_ns = static_cast<std::uint64_t>(1e9 / events_per_s);
  const std::uint64_t lead_ns = 60'000'000'000;
  const std::uint64_t first_ns = world.now().wall_ns() + lead_ns;
  constexpr std::uint64_t stride = 618'970'019;  // prime: visits every place once
  const MonoTime begin = world.now().mono;
  std::uint64_t stored = 0;
  while (stored < events || !world.is_idle()) {
    world.turn([&] {
      const Now now = world.now();
      std::uint64_t left = 5'000;
      for (; stored < events && left > 0; ++stored, --left) {
        const std::uint64_t place = stored * stride % events;
        if (!world.lane().schedule(records.view(), first_ns + place * step_ns, now)) break;
      }
      return stored < events && left == 0;
    });
  }
  if (world.now().wall_ns() > first_ns) fail("storing took longer than the lead");
  print_figure("schedule_per_s", static_cast<double>(events) / seconds_since(begin), "/s");
  print_figure("schedule_rss_growth", resident_mib() - before_mib, "MiB");

  // They come back in the order of their dates.
  std::vector<double> late_ms;
  late_ms.reserve(events);
  std::vector<std::uint8_t> record;
  double cpu_before = 0;
  double resident_max = 0;
  while (late_ms.size() < events) {
    world.turn([&] {
      const Now now = world.now();
      Lane& lane = world.lane();
      if (cpu_before == 0 && lane.has_next()) cpu_before = cpu_ns();
      while (lane.has_next()) {
        const std::uint64_t due_ns = first_ns + late_ms.size() * step_ns;
        late_ms.push_back((static_cast<double>(now.wall_ns()) - static_cast<double>(due_ns)) / 1e6);
        record.resize(restored_record_bytes(lane.next()));
        restore_record(lane.next(), lane.next_origin(), now, record.data());
        lane.take_next();
        lane.settle(read_record(record.data()));
        if (late_ms.size() % 100'000 == 0) resident_max = std::max(resident_max, resident_mib());
      }
      lane.read_ahead();
      return false;
    });
  }
  if (quantile(late_ms, 0) < 0) fail("an event came early");
  print_figure("release_late_p50", quantile(late_ms, 0.5), "ms");
  print_figure("release_late_p99", quantile(late_ms, 0.99), "ms");
  print_figure("release_cpu", (cpu_ns() - cpu_before) / static_cast<double>(events), "ns");
  print_figure(
      "release_rss_growth",
      resident_max - before_mib - static_cast<double>(events * sizeof(double)) / (1U << 20U),
      "MiB");
}

int run(int argc, char** argv) {
  const std::string folder = argv[1];
  const std::string what = argv[2];
  const auto number = [&](int i) {
    if (i >= argc) fail("a number is missing");
    return std::strtod(argv[i], nullptr);
  };
  if (what == "spill") {
    measure_spill(folder, static_cast<std::uint64_t>(number(3)));
  } else if (what == "fill") {
    World world(folder);
    const std::size_t record_bytes = Records().view().bytes.size();
    spill(world, static_cast<std::uint64_t>(number(3) * (1U << 30U)) / record_bytes);
  } else if (what == "open") {
    measure_open(folder);
  } else if (what == "schedule") {
    measure_schedule(folder, static_cast<std::uint64_t>(number(3)), number(4));
  } else {
    fail("what is \"" + what + "\"?");
  }
  return 0;
}

}  // namespace
}  // namespace outrider::bench

int main(int argc, char** argv) {
  if (argc < 3) {
    std::fprintf(
        stderr,
        "usage: spool_bench FOLDER spill EVENTS | fill GIB | open | schedule EVENTS RATE\n");
    return 2;
  }
  return outrider::bench::run(argc, argv);
}
