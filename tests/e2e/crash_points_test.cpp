// The sidecar is killed at every point where an event is on its way from one state to the next, and
// started again: nothing confirmed is lost, and what arrives twice was not known to have arrived.

#include "e2e/spool_fixture.hpp"
#include "support/places.hpp"

namespace outrider::test {
namespace {

/// What brings the sidecar to the point.
enum class Load {
  deliver,        ///< confirmed events, a receiver that takes them
  spill,          ///< a receiver that is down, more events than memory holds
  refused,        ///< a receiver that refuses everything
  stop,           ///< a receiver that is down, and SIGTERM
  large,          ///< a receiver that is down, and events that fill the write-ahead log
  damaged_index,  ///< a spool of which a page is garbage, though no event is in it
  damaged_leaf,   ///< one of which the page with the oldest events is
  damaged_block,  ///< a spool of which blocks have a wrong checksum
};

struct CrashRow {
  const char* point;
  Load load;
  std::vector<int> passes;  ///< killed with the n-th of them, each in a run of its own
};

const std::vector<CrashRow>& crash_rows() {
  static const std::vector<CrashRow> rows = {
      {"before_commit", Load::deliver, {1, 2, 7}},
      {"after_commit", Load::deliver, {1, 2, 7}},
      {"before_answer", Load::deliver, {1, 2, 30}},
      {"after_answer", Load::deliver, {1, 2, 3, 30}},
      {"mid_settle", Load::deliver, {1, 2, 5}},
      {"mid_spill", Load::deliver, {1, 3}},
      {"mid_spill", Load::spill, {1, 2, 9}},
      {"before_commit", Load::spill, {1, 5}},
      {"after_commit", Load::spill, {1, 5}},
      {"mid_release", Load::deliver, {1, 2, 3}},
      {"mid_bury", Load::refused, {1, 2, 5}},
      {"before_commit", Load::refused, {3, 6}},
      {"after_commit", Load::refused, {3, 6}},
      {"mid_put_back", Load::stop, {1}},
      {"before_checkpoint", Load::large, {1}},
      {"mid_checkpoint", Load::large, {1, 2, 1500}},
      {"after_checkpoint", Load::large, {1}},
      {"quarantine_copying", Load::damaged_index, {1, 2}},
      {"quarantine_copied", Load::damaged_index, {1}},
      {"quarantine_renaming", Load::damaged_index, {1, 2, 3}},
      {"quarantine_copied", Load::damaged_leaf, {1}},
      {"quarantine_block", Load::damaged_block, {1, 2}},
  };
  return rows;
}

struct CrashCase {
  std::string point;
  Load load;
  int pass;

  bool has_damage() const { return load >= Load::damaged_index; }
};

void PrintTo(const CrashCase& crash, std::ostream* out) {
  *out << crash.point << ":" << crash.pass;
}

std::vector<CrashCase> crash_cases() {
  std::vector<CrashCase> cases;
  for (const CrashRow& row : crash_rows()) {
    for (const int pass : row.passes) cases.push_back({row.point, row.load, pass});
  }
  return cases;
}

std::string name_of(const testing::TestParamInfo<CrashCase>& info) {
  constexpr const char* loads[] = {"deliver", "spill",         "refused",      "stop",
                                   "large",   "damaged_index", "damaged_leaf", "damaged_block"};
  return info.param.point + "_" + std::to_string(info.param.pass) + "_" +
         loads[static_cast<int>(info.param.load)];
}

class CrashPoint : public SpoolTest, public testing::WithParamInterface<CrashCase> {
 protected:
  static constexpr long delivered_before = 50;
  static constexpr long kept_before = 100;
  static constexpr long page_bytes = 4096;
  static constexpr int rounds_max = 400;
  static constexpr long round_events = 20;

  /// `linger`: short where a stop finds the receiver down.
  std::string crash_config(const std::string& linger = "10s") const {
    const bool is_small = GetParam().load == Load::spill;
    return config(receiver_.url(), is_small ? "queue_events_max = 10" : "", linger);
  }

  /// A first life of the spool, so that there is something that must not come back, and something
  /// that must.
  void live_before(Client& client) {
    Sidecar sidecar(dir_, crash_config(GetParam().has_damage() ? "100ms" : "10s"));
    deliver(client, 1, delivered_before);
    next_ = delivered_before + 1;
    EXPECT_TRUE(client.flush(20s));
    ASSERT_TRUE(wait_until_received(receiver_, issued_.all()));
    if (GetParam().has_damage()) {
      receiver_.refuse();
      for (long i = 0; i < kept_before; ++i) {
        deliver(client, next_++);
        EXPECT_TRUE(client.flush(20s));
      }
    }
    ASSERT_EQ(sidecar.stop(), 0) << sidecar.err();
    EXPECT_EQ(spool_.events(), GetParam().has_damage() ? kept_before : 0);
  }

  void set_scene() {
    switch (GetParam().load) {
      case Load::deliver:
        return;
      case Load::refused:
        receiver_.script_requests({}, answer(400));
        return;
      case Load::spill:
      case Load::stop:
      case Load::large:
        receiver_.refuse();
        return;
      case Load::damaged_index:
        damage("SELECT rootpage FROM sqlite_schema WHERE name = 'block_of_destination'");
        return;
      case Load::damaged_leaf:
        damage(
            "SELECT pageno FROM dbstat WHERE name = 'block' AND pagetype = 'leaf' "
            "ORDER BY path LIMIT 1");
        return;
      case Load::damaged_block:
        query(spool_.path(), "UPDATE block SET crc = crc + 1 WHERE id % 3 = 0");
        return;
    }
  }

  /// Makes garbage of the page of this number.
  void damage(const std::string& page_number) {
    const auto begin = (query_number(spool_.path(), page_number) - 1) * page_bytes;
    ASSERT_GT(begin, 0);
    std::fstream file(spool_.path(), std::ios::in | std::ios::out | std::ios::binary);
    std::string page(page_bytes, '\0');
    file.seekg(begin);
    file.read(page.data(), page_bytes);
    destroyed_ = distinct(numbers_in(page));
    ASSERT_LT(destroyed_.size(), kept_before / 2);
    file.seekp(begin);
    file << std::string(page_bytes, '\x5a');
  }

  /// Until the sidecar is dead.
  void load(Client& client, Sidecar& sidecar) {
    const std::string filler(GetParam().load == Load::large ? 16'384 : 10, 'x');
    for (int round = 0; round < rounds_max; ++round) {
      const std::size_t confirmed_before = confirmed_.size();
      std::size_t delivered = 0;
      for (long i = 0; i < round_events; ++i) {
        if (i % 4 == 3) {
          emit(client, next_++);
          continue;
        }
        const auto delay = i % 4 == 2 ? 30ms : 0ms;
        deliver(client, next_++, {.delay = delay}, filler);
        ++delivered;
      }
      const auto is_confirmed = [&] { return confirmed_.size() == confirmed_before + delivered; };
      const auto has_ended = [&] { return sidecar.process().wait(0ms).has_value(); };
      ASSERT_TRUE(eventually([&] { return is_confirmed() || has_ended(); })) << sidecar.err();
      if (has_ended()) return;
      if (GetParam().load == Load::stop && round == 3) {
        sidecar.process().signal(SIGTERM);
        sidecar.process().wait();
        return;
      }
    }
  }

  /// At the moment of death: what was confirmed by then is somewhere, and only what is known to be
  /// kept and had been sent may be sent again. The spool of a sidecar that was mending it is in
  /// several files, and nothing had been sent.
  void look_at_the_remains() {
    receiver_.refuse();
    receiver_.end_connections();
    if (GetParam().has_damage()) return;
    const std::set<long> confirmed = confirmed_.all();
    const std::set<long> received = distinct(received_by(receiver_));
    const SpoolFile remains = spool_.copy();
    const std::set<long> kept = remains.kept();
    EXPECT_EQ(without(confirmed, {kept, distinct(remains.dead()), received}), std::set<long>{})
        << "confirmed, and nowhere when the sidecar was killed";
    std::ranges::set_intersection(kept, received, std::inserter(may_repeat_, may_repeat_.end()));
  }

  void expect_certainty() {
    const std::vector<long> received = received_by(receiver_);
    const std::vector<long> dead = spool_.dead();
    const std::set<long> damaged = spool_.damaged();
    EXPECT_EQ(without(confirmed_.all(), {distinct(received), distinct(dead), damaged, destroyed_}),
              std::set<long>{})
        << "lost";
    EXPECT_EQ(without(distinct(received), {issued_.all()}), std::set<long>{}) << "never issued";
    EXPECT_EQ(without(repeated(received), {may_repeat_}), std::set<long>{})
        << "received again, though known to have been received";
    EXPECT_EQ(repeated(dead), std::set<long>{}) << "twice among the dead letters";
    if (GetParam().load != Load::damaged_block) {
      EXPECT_EQ(damaged, std::set<long>{});
    }
    if (GetParam().load != Load::refused) {
      EXPECT_EQ(dead, std::vector<long>{});
    }
    spool_.expect_empty_and_sound();
  }

  FaultReceiver receiver_;
  long next_ = 1;
  std::set<long> may_repeat_;
  std::set<long> destroyed_;  ///< by the disk, not by the sidecar
};

TEST_P(CrashPoint, LosesNothingThatWasConfirmed) {
  const CrashCase& crash = GetParam();
  Client client(client_options());
  live_before(client);
  set_scene();
  if (HasFatalFailure()) return;
  {
    Sidecar faulty(dir_, crash_config("100ms"), false,
                   {"OUTRIDER_FAULT_POINT=" + crash.point + ":" + std::to_string(crash.pass)},
                   OUTRIDER_FAULTY_BINARY);
    load(client, faulty);
    ASSERT_EQ(faulty.process().wait(), 128 + SIGKILL) << "never passed\n" << faulty.err();
  }
  look_at_the_remains();

  receiver_.listen();
  Sidecar sidecar(dir_, crash_config());
  deliver(client, next_, next_ + 9);
  EXPECT_TRUE(client.flush(20s)) << sidecar.err();
  EXPECT_TRUE(confirmed_.all().contains(next_ + 9));
  EXPECT_TRUE(eventually([&] { return spool_.rows() == 0; })) << sidecar.err();
  const int status = sidecar.stop();
  const bool may_lose = crash.load == Load::refused || crash.load >= Load::damaged_leaf;
  EXPECT_TRUE(status == 0 || (status == 3 && may_lose)) << status << sidecar.err();
  expect_certainty();
}

INSTANTIATE_TEST_SUITE_P(AtEvery, CrashPoint, testing::ValuesIn(crash_cases()), name_of);

/// `outrider dead retry`, killed beside a sidecar that runs.
class CrashOfRetry : public SpoolTest, public testing::WithParamInterface<int> {
 protected:
  std::optional<int> retry(const std::string& binary, std::vector<std::string> environment) const {
    Process process({binary, "dead", "retry", "--all", "--spool", spool_.path()},
                    Process::Options{.environment = std::move(environment)});
    return process.wait();
  }
  FaultReceiver receiver_;
};

TEST_P(CrashOfRetry, PutsBackEveryDeadLetterOnce) {
  receiver_.script_requests({}, answer(400));
  Sidecar sidecar(dir_, config(receiver_.url()));
  Client client(client_options());
  deliver(client, 1, 40);
  EXPECT_TRUE(client.flush(20s));
  ASSERT_TRUE(eventually([&] { return spool_.dead().size() == 40; })) << sidecar.err();
  receiver_.script_requests({}, answer());

  const std::string point = "OUTRIDER_FAULT_POINT=mid_retry:" + std::to_string(GetParam());
  EXPECT_EQ(retry(OUTRIDER_FAULTY_BINARY, {point}), 128 + SIGKILL);
  EXPECT_EQ(retry(test::outrider_binary(), {}), 0);

  EXPECT_TRUE(wait_until_received(receiver_, issued_.all())) << sidecar.err();
  EXPECT_TRUE(eventually([&] { return spool_.rows() == 0; })) << sidecar.err();
  sidecar.stop();
  EXPECT_EQ(sorted(received_by(receiver_)), range(1, 40));
  EXPECT_EQ(spool_.dead(), std::vector<long>{});
  spool_.expect_empty_and_sound();
}

INSTANTIATE_TEST_SUITE_P(MidRetry, CrashOfRetry, testing::Values(1, 2, 40));

std::set<std::string> points_in(const std::filesystem::path& path) {
  const std::string text = read_file(path);
  std::set<std::string> points;
  for (const char* call : {"fault_point(\"", " pass(\""}) {
    for (const std::string& name : values_of(text, call, "\"")) points.insert(name);
  }
  return points;
}

TEST(CrashPoints, EveryPointInTheSourcesHasARow) {
  std::set<std::string> in_sources =
      points_in(test::source_path("tests/support/fault_point_kill.cpp"));
  for (const auto& file :
       std::filesystem::recursive_directory_iterator(test::source_path("sidecar"))) {
    if (file.path().extension() == ".cpp") in_sources.merge(points_in(file.path()));
  }
  std::set<std::string> in_rows = {"mid_retry"};
  for (const CrashRow& row : crash_rows()) in_rows.insert(row.point);
  EXPECT_EQ(in_rows, in_sources);
}

}  // namespace
}  // namespace outrider::test
