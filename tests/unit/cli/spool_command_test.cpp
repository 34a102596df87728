#include <csignal>

#include <fcntl.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <unistd.h>

#include "sidecar/inspect/dead_letters.hpp"
#include "sidecar/inspect/event_export.hpp"
#include "sidecar/inspect/inspection.hpp"
#include "sidecar/inspect/spool_access.hpp"
#include "sidecar/spool/salvage.hpp"
#include "sidecar/spool/table_walk.hpp"
#include "spool_fixture.hpp"
#include "support/places.hpp"
#include "support/process.hpp"

namespace outrider::sidecar {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

class SpoolCommand : public SpoolFixture {
 protected:
  /// One event of every state, and a block of which the first event is done.
  void fill() {
    const BlockId block = spool("a", 1, 3);
    transact([&] {
      Settlement settlement{};
      settlement.block = block;
      settlement.events = 1;
      settlement.bytes = test::numbered_record({.number = 1}).size();
      settlement.settled = {1};
      store->settle(store->destination("a"), settlement);
    });
    spool("b", 4, 4, "users.new");
    schedule("a", 5, std::chrono::hours(1));
    bury("b", {.number = 6});
    transact([&] { store->mark({"nightly", now.wall_ns()}); });
  }

  int lock() const {
    const int fd = ::open(lock_path(path).c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    EXPECT_EQ(::flock(fd, LOCK_EX | LOCK_NB), 0);
    return fd;
  }

  /// A byte inside of the data of the first event with this number.
  void flip_byte_of(std::uint64_t number) {
    std::string file = read_file();
    const std::string data = test::numbered_data(number);
    const std::size_t at = file.find(data);
    ASSERT_NE(at, std::string::npos);
    file[at + 5] ^= 0x40;
    write_file(file);
  }
};

/// Files cannot grow as long as it lives.
class FullDisk {
 public:
  FullDisk() {
    old_handler_ = std::signal(SIGXFSZ, SIG_IGN);
    ::getrlimit(RLIMIT_FSIZE, &old_);
    const rlimit none{0, old_.rlim_max};
    ::setrlimit(RLIMIT_FSIZE, &none);
  }
  ~FullDisk() {
    ::setrlimit(RLIMIT_FSIZE, &old_);
    std::signal(SIGXFSZ, old_handler_);
  }
  FullDisk(const FullDisk&) = delete;
  FullDisk& operator=(const FullDisk&) = delete;

 private:
  rlimit old_{};
  void (*old_handler_)(int) = nullptr;
};

TEST_F(SpoolCommand, AReaderThatHasAllItWantedIsNoFailure) {
  fill();
  for (const std::string words : {"spool export", "dead list", "dead list --json", "spool info"}) {
    const auto piped = test::run({"/bin/bash", "-c",
                                  "{ sleep 0.2; exec \"$0\" " + words + " --spool " + path +
                                      "; } | true; echo ${PIPESTATUS[0]}",
                                  test::outrider_binary()});
    EXPECT_EQ(piped.out, "0\n") << words << piped.err;
    EXPECT_EQ(piped.err, "") << words;
  }
}

TEST_F(SpoolCommand, WhatOnlyReadsNeedsNoRoom) {
  fill();
  close();
  std::size_t dead = 0;
  std::string error;
  {
    const FullDisk full;
    auto database = open_to_read(path);
    if (database.ok()) {
      dead = find_dead(database.value(), {}).size();
    } else {
      error = database.error().message;
    }
  }
  EXPECT_EQ(dead, 1U) << error;
}

TEST_F(SpoolCommand, InfoShowsWhatIsThere) {
  fill();
  const Outcome text = outrider({"spool", "info"});
  EXPECT_EQ(text.status, exit_done) << text.err;
  EXPECT_THAT(text.out, AllOf(HasSubstr("not in use"), HasSubstr("1 dead letter of "),
                              HasSubstr("next scheduled event 2026-01-31T13:00:00Z for a"),
                              HasSubstr("refused 1"), HasSubstr("2026-01-31T12:00:00Z")));
  EXPECT_THAT(text.out, HasSubstr("nightly   2026-01-31T12:00:00Z"));

  const int fd = lock();
  const Outcome json = outrider({"spool", "info", "--json"});
  EXPECT_THAT(json.out,
              AllOf(HasSubstr(R"("in_use":true)"), HasSubstr(R"({"name":"a","spooled_events":2,)"),
                    HasSubstr(R"("scheduled_events":1,)"), HasSubstr(R"("dead":{"refused":1}})"),
                    HasSubstr(R"("next_due":"2026-01-31T13:00:00.000000000Z")"),
                    HasSubstr(R"("schedules":[{"name":"nightly",)")));
  EXPECT_THAT(json.out, Not(HasSubstr("configured")));
  ::close(fd);
}

TEST_F(SpoolCommand, InfoSaysWhatIsNotConfiguredAnyMore) {
  fill();
  const Outcome info = outrider_with_config({"spool", "info", "--json"});
  EXPECT_EQ(info.status, exit_done) << info.err;
  EXPECT_THAT(info.out, AllOf(HasSubstr(R"({"name":"a","configured":true,)"),
                              HasSubstr(R"({"name":"b","configured":false,)")));
}

TEST_F(SpoolCommand, ReadingLeavesTheFilesAsTheyWere) {
  fill();
  close();
  const std::string before = read_file();
  const auto names = files();
  for (const char* command : {"info", "verify", "export"}) {
    EXPECT_EQ(outrider({"spool", command}).status, exit_done) << command;
  }
  EXPECT_EQ(outrider({"dead", "list"}).status, exit_done);
  EXPECT_EQ(read_file(), before);
  EXPECT_EQ(files(), names);
}

TEST_F(SpoolCommand, WhatIsNoSpoolStaysAsItIs) {
  close();
  const std::vector<std::vector<std::string>> commands = {
      {"spool", "info"},          {"spool", "verify"},
      {"spool", "export"},        {"spool", "drop", "--destination", "a"},
      {"dead", "list"},           {"dead", "show", "1"},
      {"dead", "retry", "--all"}, {"dead", "drop", "1"},
      {"spool", "repair"},        {"spool", "reset-schedule", "--schedule", "x"}};
  for (const auto& words : commands) {
    std::filesystem::remove(path);
    std::filesystem::remove(path + ".lock");  // what would change the spool leaves it there
    const Outcome none = outrider(words);
    EXPECT_EQ(none.status, exit_failed);
    EXPECT_THAT(none.err, HasSubstr("no spool at " + path));
    EXPECT_THAT(files(), IsEmpty());

    write_file("");
    const Outcome empty = outrider(words);
    EXPECT_EQ(empty.status, exit_failed);
    EXPECT_THAT(empty.err, HasSubstr("is empty"));
    EXPECT_EQ(read_file(), "");

    write_file(std::string(8192, 'x'));
    const Outcome other = outrider(words);
    EXPECT_EQ(other.status, exit_failed);
    EXPECT_THAT(other.err, HasSubstr("not a database"));
    EXPECT_EQ(read_file(), std::string(8192, 'x'));
  }
}

TEST_F(SpoolCommand, WrongUsageIsOneLine) {
  const std::vector<std::pair<std::vector<std::string>, std::string>> cases = {
      {{"spool"}, "a command is missing"},
      {{"spool", "verfy"}, "did you mean \"verify\"?"},
      {{"spool", "info"}, "give --config FILE or --spool PATH"},
      {{"spool", "export", "--spool", path, "--state", "gone"}, "--state: \"gone\" is none of"},
      {{"spool", "export", "--spool", path, "--topic", "a..b"}, "is not a topic pattern"},
      {{"spool", "drop", "--spool", path}, "--destination NAME is missing"},
  };
  for (const auto& [words, message] : cases) {
    testing::internal::CaptureStderr();
    EXPECT_EQ(run_command_line(words), exit_usage) << message;
    EXPECT_THAT(testing::internal::GetCapturedStderr(), HasSubstr(message));
  }
}

TEST_F(SpoolCommand, VerifyFindsNothingWrongWithWhatTheStoreWrites) {
  fill();
  bury("a", {.number = 7, .answer = "h\xc3\xb6ren"});
  transact([&] {
    EXPECT_TRUE(store->put_back_dead(number("SELECT min(id) FROM dead"), now));
    EXPECT_TRUE(store->remove_dead(number("SELECT max(id) FROM dead")));
    store->quarantine(store->destination("a"), number("SELECT min(id) FROM block"), now);
  });
  const Outcome verified = outrider({"spool", "verify"});
  EXPECT_EQ(verified.status, exit_done);
  EXPECT_THAT(
      verified.out,
      HasSubstr(
          "no problems found, 2 spooled events in 2 blocks, 1 scheduled event, 0 dead letters"));
}

TEST_F(SpoolCommand, VerifyFindsAFlippedByte) {
  fill();
  close();
  flip_byte_of(2);
  const Outcome block = outrider({"spool", "verify"});
  EXPECT_EQ(block.status, exit_failed);
  EXPECT_THAT(block.out,
              AllOf(HasSubstr("of a (3 events) is damaged"),
                    HasSubstr("`outrider spool repair` does it now"), HasSubstr(": 1 problem, ")));
  flip_byte_of(5);
  EXPECT_THAT(outrider({"spool", "verify"}).out, HasSubstr("scheduled event 1 of a is damaged"));
}

TEST_F(SpoolCommand, VerifyFindsWrongTotalsAndOrphansAndRepairMendsThem) {
  struct Case {
    const char* damage;
    const char* problem;
  };
  const std::vector<Case> cases = {
      {"UPDATE destination SET events=events+1 WHERE name='a'",
       "destination a: the number of spooled events is recorded as 3, but there are 2"},
      {"UPDATE destination SET bytes=0 WHERE name='b'",
       "the number of spooled bytes is recorded as 0"},
      {"UPDATE destination SET scheduled_events=0", "the number of scheduled events"},
      {"UPDATE counters SET dead_bytes=dead_bytes+1", "the number of bytes of dead letters"},
      {"UPDATE counters SET dead_events=0", "the number of dead letters is recorded as 0"},
      {"UPDATE counters SET clients=1", "the number of clients is recorded as 1, but there are 0"},
      {"UPDATE counters SET next_block=0", "the ids of the blocks"},
      {"UPDATE counters SET next_row=1", "the ids of scheduled events and dead letters"},
      {"INSERT INTO settled VALUES(1, x'01', 0)", "table settled: 1 rows"},
      {"UPDATE settled SET events=x'81'", "cannot tell which events of block"},
      {"UPDATE settled SET events=x'03'", "cannot tell which events of block"},
      {"UPDATE destination SET name='A' WHERE name='a'", "the name of destination A is damaged"},
      {"UPDATE dead SET record=x'00'", "dead letter 2 is not a whole event"},
      {"DELETE FROM destination WHERE name='a'", "belongs to no destination"},
      {"DELETE FROM counters", "table counters has no row"},
  };
  fill();
  for (const Case& wrong : cases) {
    store->database().execute("VACUUM INTO '" + dir.file("saved") + "'");
    store->database().execute(wrong.damage);
    const Outcome found = outrider({"spool", "verify"});
    EXPECT_EQ(found.status, exit_failed) << wrong.damage;
    EXPECT_THAT(found.out, HasSubstr(wrong.problem));
    close();
    const Outcome repaired = outrider({"spool", "repair"});
    EXPECT_THAT(repaired.out, HasSubstr(wrong.problem));
    const bool is_lost = std::string_view(wrong.damage).starts_with("UPDATE dead");
    EXPECT_EQ(repaired.status, is_lost ? exit_failed : exit_done) << repaired.out;
    EXPECT_THAT(repaired.out, HasSubstr(is_lost ? "1 row could not be read" : "nothing was lost"));
    EXPECT_EQ(outrider({"spool", "verify"}).status, exit_done) << wrong.damage;
    std::filesystem::rename(dir.file("saved"), path);
    open();
    store->database().execute("PRAGMA journal_mode=WAL");
  }
  EXPECT_EQ(outrider({"spool", "verify"}).status, exit_done);
}

TEST_F(SpoolCommand, RepairSetsAsideWhatIsDamagedAndSaysWhatIsLost) {
  fill();
  close();
  flip_byte_of(4);
  const int fd = lock();
  const Outcome used = outrider({"spool", "repair"});
  EXPECT_EQ(used.status, exit_failed);
  EXPECT_THAT(used.err, HasSubstr("a sidecar uses the spool"));
  ::close(fd);
  const std::string before = read_file();
  const Outcome repaired = outrider({"spool", "repair"});
  EXPECT_EQ(repaired.status, exit_failed);
  EXPECT_THAT(repaired.out,
              AllOf(HasSubstr("found:\nblock "), HasSubstr("set aside as " + path),
                    HasSubstr("2 spooled events, 1 scheduled event and 1 dead letter"),
                    HasSubstr("1 row could not be read")));
  EXPECT_EQ(outrider({"spool", "verify"}).status, exit_done);
  EXPECT_THAT(numbers_of(outrider({"spool", "export"}).out), ElementsAre(5, 2, 3, 6));
  const Outcome again = outrider({"spool", "repair"});
  EXPECT_EQ(again.status, exit_done);
  EXPECT_THAT(again.out, HasSubstr("no problems found, nothing was changed"));
}

TEST_F(SpoolCommand, RepairCountsEventsThatAreGone) {
  fill();
  close();
  // The page of the only scheduled event: nothing of it can be read.
  std::string file = read_file();
  const std::size_t at = file.find(test::numbered_data(5));
  ASSERT_NE(at, std::string::npos);
  const std::size_t page = at / Store::page_bytes * Store::page_bytes;
  file.replace(page, Store::page_bytes, Store::page_bytes, '\0');
  write_file(file);
  const Outcome repaired = outrider({"spool", "repair"});
  EXPECT_EQ(repaired.status, exit_failed);
  EXPECT_THAT(repaired.out, HasSubstr("the recorded totals name 1 event more than were found"));
  EXPECT_THAT(repaired.out, Not(HasSubstr("nothing was lost")));
}

TEST_F(SpoolCommand, ADamagedLogIsFoundSaidAndKept) {
  fill();
  close();
  open();
  // As a sidecar that was killed leaves it: what is new has not left the log.
  for (std::uint64_t number = 20; number < 25; ++number) spool("a", number, number);
  const auto read_of = [](const std::string& name) {
    std::ifstream in(name, std::ios::binary);
    return std::string(std::istreambuf_iterator<char>(in), {});
  };
  const auto write_to = [](const std::string& name, const std::string& content) {
    std::ofstream(name, std::ios::binary) << content;
  };
  const std::string log = read_of(path + "-wal");
  const std::string file = read_of(path);
  close();
  constexpr std::size_t head_bytes = 32;
  constexpr std::size_t frame_bytes = 24 + Store::page_bytes;
  ASSERT_GT(log.size(), head_bytes + 4 * frame_bytes);
  std::string kept = path + ".damaged-wal";
  // In a page, in the salts of a frame, and a stretch of zeroes.
  for (const auto& [at, bytes] : {std::pair<std::size_t, std::size_t>{head_bytes + 1000, 1},
                                  {head_bytes + frame_bytes + 10, 1},
                                  {head_bytes + frame_bytes - 2000, 4096}}) {
    std::string damaged = log;
    damaged.replace(at, bytes, bytes, '\x5a');
    write_to(path, file);
    write_to(path + "-wal", damaged);
    std::filesystem::remove(path + "-shm");
    const Outcome verified = outrider({"spool", "verify"});
    EXPECT_EQ(verified.status, exit_failed) << at;
    EXPECT_THAT(verified.out, HasSubstr("the write-ahead log is damaged")) << at;
    const Outcome repaired = outrider({"spool", "repair"});
    EXPECT_EQ(repaired.status, exit_failed) << at;
    EXPECT_THAT(repaired.out, HasSubstr("the damaged log is kept as " + kept)) << at;
    EXPECT_EQ(read_of(kept), damaged) << at;
    // The next one does not take its place.
    kept = path + ".damaged-wal-" + (kept.ends_with("-2") ? "3" : "2");
    EXPECT_EQ(outrider({"spool", "verify"}).status, exit_done) << at;
  }
}

TEST_F(SpoolCommand, RepairGoesOnWithoutTheFirstPage) {
  fill();
  close();
  const std::string whole = read_file();
  std::string flipped = whole;
  flipped[68] ^= '\x80';  // whose database it is
  write_file(flipped);
  EXPECT_EQ(outrider({"spool", "repair"}).status, exit_done);
  EXPECT_THAT(numbers_of(outrider({"spool", "export"}).out), ElementsAre(5, 2, 3, 4, 6));
  flipped = whole;
  flipped[60] ^= '\x01';  // the version: no newer program's
  write_file(flipped);
  EXPECT_EQ(outrider({"spool", "repair"}).status, exit_done);
  EXPECT_THAT(numbers_of(outrider({"spool", "export"}).out), ElementsAre(5, 2, 3, 4, 6));
  flipped = whole;
  flipped[flipped.find("record BLOB")] ^= '\x01';  // the name of a column
  write_file(flipped);
  const Outcome found = outrider({"spool", "verify"});
  EXPECT_EQ(found.status, exit_failed);
  EXPECT_THAT(found.out, HasSubstr("its tables are not those of a spool"));
  EXPECT_EQ(outrider({"spool", "repair"}).status, exit_done);
  EXPECT_THAT(numbers_of(outrider({"spool", "export"}).out), ElementsAre(5, 2, 3, 4, 6));
  for (const std::size_t at : {0, 18, 103, 4000}) {
    std::string file = whole;
    file.replace(at, 40, 40, '\0');
    write_file(file);
    const Outcome repaired = outrider({"spool", "repair"});
    EXPECT_EQ(repaired.status, exit_done) << at << repaired.out << repaired.err;
    EXPECT_THAT(numbers_of(outrider({"spool", "export"}).out), ElementsAre(5, 2, 3, 4, 6));
    EXPECT_EQ(outrider({"spool", "verify"}).status, exit_done);
  }
}

TEST_F(SpoolCommand, ExportGivesEveryEventThatIsNotDoneAsALineOfJson) {
  fill();
  const Outcome all = outrider({"spool", "export"});
  EXPECT_EQ(all.status, exit_done) << all.err;
  EXPECT_THAT(numbers_of(all.out), ElementsAre(5, 2, 3, 4, 6));
  EXPECT_THAT(all.out,
              HasSubstr(R"({"id":"00000000-0000-0000-0000-000000000002","topic":"orders.paid",)"
                        R"("time":"1970-01-01T00:00:01.000000000Z","data":{"n":2},)"
                        R"("destination":"a","state":"spooled"})"
                        "\n"));
  EXPECT_THAT(all.out, HasSubstr(R"("state":"scheduled","at":"2026-01-31T13:00:00.000000000Z"})"));
  EXPECT_THAT(all.out, HasSubstr(R"("destination":"b","state":"dead","reason":"refused",)"
                                 R"("status":400,"attempts":2})"));

  const auto some = [&](std::vector<std::string> words) {
    words.insert(words.begin(), {"spool", "export"});
    return numbers_of(outrider(words).out);
  };
  EXPECT_THAT(some({"--destination", "b"}), ElementsAre(4, 6));
  EXPECT_THAT(some({"--state", "scheduled"}), ElementsAre(5));
  EXPECT_THAT(some({"--topic", "users.>"}), ElementsAre(4));
  EXPECT_THAT(some({"--topic", "orders.*", "--destination", "a", "--state", "spooled"}),
              ElementsAre(2, 3));
}

TEST_F(SpoolCommand, ExportHoldsNothingWhileItsLinesAreRead) {
  for (int i = 0; i < 3 * rows_at_once; ++i) spool("a", i, i);
  auto database = open_to_read(path);
  ASSERT_TRUE(database.ok());
  std::size_t events = 0;
  std::size_t pauses = 0;
  const auto take = [&](const ExportedEvent&) { return ++events > 0; };
  const auto between = [&] {
    ++pauses;
    // What is stored meanwhile neither waits nor stays in the log.
    spool("b", 1000, 1000);
    EXPECT_TRUE(store->database().empty_log());
  };
  const EventFilter of_a{.destination = "a", .topic = {}, .state = EventState::spooled};
  const Unreadable unreadable = for_each_event(database.value(), of_a, take, between);
  EXPECT_EQ(events, 3U * rows_at_once);
  EXPECT_GE(pauses, 3U);
  EXPECT_EQ(unreadable.events + unreadable.stretches, 0U);
}

TEST_F(SpoolCommand, ExportStepsOverADamagedBlockAndSaysSo) {
  fill();
  close();
  flip_byte_of(2);
  const Outcome rest = outrider({"spool", "export"});
  EXPECT_EQ(rest.status, exit_failed);
  EXPECT_THAT(numbers_of(rest.out), ElementsAre(5, 4, 6));
  EXPECT_THAT(rest.err, HasSubstr("3 events and 0 places in the file could not be read"));
}

TEST_F(SpoolCommand, ExportLosesOnlyWhatIsOnADamagedPage) {
  // One block fills most of a page, so each is alone on its leaf of the table.
  constexpr int blocks = 40;
  constexpr int events = 55;
  for (int i = 0; i < blocks; ++i) spool("a", i * events, (i + 1) * events - 1);
  close();
  for (const int damaged : {0, 17, blocks - 1}) {
    const std::string whole = read_file();
    std::string file = whole;
    const std::size_t at = file.find(test::numbered_data(damaged * events));
    ASSERT_NE(at, std::string::npos);
    file.replace(at / 4096 * 4096, 64, 64, '\xff');
    write_file(file);
    const Outcome rest = outrider({"spool", "export"});
    EXPECT_EQ(rest.status, exit_failed);
    const std::vector<int> numbers = numbers_of(rest.out);
    EXPECT_EQ(numbers.size(), (blocks - 1) * events) << damaged;
    EXPECT_EQ(std::ranges::count(numbers, damaged * events), 0);
    EXPECT_THAT(rest.err, HasSubstr("0 events and 1 place in the file could not be read"));
    EXPECT_EQ(outrider({"spool", "verify"}).status, exit_failed);
    write_file(whole);
  }
}

TEST_F(SpoolCommand, ExportGoesOnWithoutCountersAndNames) {
  fill();
  const std::vector<std::int64_t> pages = {
      number("SELECT rootpage FROM sqlite_schema WHERE name='counters'"),
      number("SELECT rootpage FROM sqlite_schema WHERE name='destination'"),
      number("SELECT rootpage FROM sqlite_schema WHERE name='sqlite_autoindex_destination_1'")};
  close();
  std::string file = read_file();
  for (const std::int64_t page : pages) {
    file.replace(static_cast<std::size_t>(page - 1) * 4096, 64, 64, '\xff');
  }
  write_file(file);
  const Outcome rest = outrider({"spool", "export"});
  EXPECT_EQ(rest.status, exit_failed);
  EXPECT_THAT(numbers_of(rest.out), ElementsAre(5, 2, 3, 4, 6));
  EXPECT_THAT(rest.out, HasSubstr(R"("destination":"#)" + std::to_string(destination_id("a"))));
}

TEST_F(SpoolCommand, SalvageLosesOnlyWhatIsOnADamagedPage) {
  constexpr int blocks = 40;
  constexpr int events = 55;
  for (int i = 0; i < blocks; ++i) spool("a", i * events, (i + 1) * events - 1);
  close();
  for (const int damaged : {0, 17, blocks - 1}) {
    const std::string whole = read_file();
    std::string file = whole;
    const std::size_t at = file.find(test::numbered_data(damaged * events));
    ASSERT_NE(at, std::string::npos);
    file.replace(at / 4096 * 4096, 64, 64, '\xff');
    write_file(file);
    const auto disk = open_disk();
    const auto salvaged =
        replace_damaged(path, *disk, WithoutCopy::fail, UnreadPlaces::step_over, now);
    EXPECT_TRUE(salvaged.has_copy);
    EXPECT_EQ(salvaged.events, (blocks - 1) * events) << damaged;
    EXPECT_EQ(outrider({"spool", "verify"}).status, exit_done);
    write_file(whole);
  }
}

TEST_F(SpoolCommand, DropRemovesWhatLiesThereForOneDestination) {
  fill();
  for (int i = 0; i < 600; ++i) schedule("b", 7, std::chrono::hours(i));
  close();
  const std::string before = read_file();
  const Outcome dry = outrider({"spool", "drop", "--destination", "b", "--dry-run"});
  EXPECT_EQ(dry.out, "would drop 1 spooled event, 600 scheduled events and 1 dead letter of b\n");
  EXPECT_EQ(read_file(), before);

  const int fd = lock();
  const Outcome used = outrider({"spool", "drop", "--destination", "b"});
  EXPECT_EQ(used.status, exit_failed);
  EXPECT_THAT(used.err, HasSubstr("a sidecar uses the spool"));
  EXPECT_EQ(read_file(), before);
  ::close(fd);

  const Outcome dropped = outrider({"spool", "drop", "--destination", "b"});
  EXPECT_EQ(dropped.status, exit_done) << dropped.err;
  EXPECT_EQ(dropped.out, "dropped 1 spooled event, 600 scheduled events and 1 dead letter of b\n");
  EXPECT_THAT(numbers_of(outrider({"spool", "export"}).out), ElementsAre(5, 2, 3));
  EXPECT_EQ(outrider({"spool", "verify"}).status, exit_done);
  const Outcome again = outrider({"spool", "drop", "--destination", "b"});
  EXPECT_EQ(again.status, exit_failed);
  EXPECT_THAT(again.err, HasSubstr("no destination \"b\"; it has a"));
}

TEST_F(SpoolCommand, DropWarnsOfADestinationThatIsStillConfigured) {
  fill();
  close();
  const auto drop = [this](const char* name) {
    return outrider_with_config({"spool", "drop", "--destination", name, "--dry-run"});
  };
  EXPECT_EQ(drop("a").status, exit_done);
  EXPECT_THAT(drop("a").err, HasSubstr("warning: a is still configured in "));
  EXPECT_EQ(drop("b").err, "");
}

TEST_F(SpoolCommand, ResetScheduleForgetsItsLastRun) {
  fill();
  transact([&] { store->mark({"nightly-2 0 2 * * *", now.wall_ns()}); });
  transact([&] { store->mark({"nightly 0 3 * * *", now.wall_ns()}); });
  const auto reset = [this](const char* name) {
    return outrider({"spool", "reset-schedule", "--schedule", name});
  };
  const Outcome unknown = reset("weekly");
  EXPECT_EQ(unknown.status, exit_failed);
  EXPECT_THAT(unknown.err, HasSubstr("has no run of \"weekly\""));
  const int fd = lock();
  EXPECT_THAT(reset("nightly").err, HasSubstr("a sidecar uses the spool"));
  EXPECT_EQ(number("SELECT count(*) FROM schedule"), 3);
  ::close(fd);
  EXPECT_EQ(reset("nightly").out, "schedule nightly starts over\n");
  ASSERT_EQ(store->marks().size(), 1U);
  EXPECT_EQ(store->marks()[0].name, "nightly-2 0 2 * * *");
}

TEST_F(SpoolCommand, AFrozenDatabaseIsReadWithoutAnyOtherFile) {
  fill();
  close();
  const std::string odd = dir.file("50%#1?.db");
  std::filesystem::rename(path, odd);
  {
    Database database(odd, OpenMode::frozen);
    EXPECT_EQ(database.number("SELECT count(*) FROM block"), 2);
    EXPECT_THROW(database.execute("DELETE FROM block"), SqliteError);
    EXPECT_EQ(files().size(), 1U);
  }
}

}  // namespace
}  // namespace outrider::sidecar
