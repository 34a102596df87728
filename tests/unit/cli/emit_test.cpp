// `outrider emit` as a process, received by a plain ZeroMQ socket.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>
#include <zmq.hpp>

#include "proto/frame_reader.hpp"
#include "support/places.hpp"
#include "support/process.hpp"
#include "support/temp_dir.hpp"
#include "unit/sdk/confirmer.hpp"

namespace outrider::sidecar {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;

/// Stands where the sidecar would.
class Receiver {
 public:
  explicit Receiver(int waiting_frames_max = 1'000) : socket_(context_, zmq::socket_type::pull) {
    socket_.set(zmq::sockopt::rcvhwm, waiting_frames_max);
    socket_.set(zmq::sockopt::rcvtimeo, 20'000);
    socket_.set(zmq::sockopt::linger, 0);
    socket_.bind(endpoint());
  }

  std::string endpoint() const { return "ipc://" + dir_.file("in.sock"); }

  /// The topics of the next `count` events.
  std::vector<std::string> topics(std::size_t count) {
    std::vector<std::string> topics;
    while (topics.size() < count) {
      zmq::message_t message;
      if (!socket_.recv(message)) break;
      proto::FrameReader reader({.frame_bytes_max = 1U << 20U, .event_bytes_max = 1U << 20U});
      EXPECT_EQ(reader.open({message.data<std::uint8_t>(), message.size()}), proto::Refusal::none);
      for (std::size_t i = 0; i < reader.event_count(); ++i) {
        proto::EventView event;
        EXPECT_EQ(reader.next(event), proto::Refusal::none);
        topics.emplace_back(event.topic);
        datas.emplace_back(proto::as_text(event.data));
        priorities.push_back(event.attributes.priority);
      }
    }
    return topics;
  }

  std::vector<std::string> datas;
  std::vector<proto::Priority> priorities;

 private:
  test::TempDir dir_;
  zmq::context_t context_;
  zmq::socket_t socket_;
};

test::Finished emit(std::vector<std::string> words, const std::string& input = {}) {
  words.insert(words.begin(), {test::outrider_binary(), "emit"});
  return test::run(std::move(words), input);
}

TEST(Emit, SendsOneEvent) {
  Receiver receiver;
  const auto sent =
      emit({"--endpoint", receiver.endpoint(), "--timeout", "20s", "orders.paid", R"({"a":1})"});
  EXPECT_EQ(sent.status, 0) << sent.err;
  EXPECT_EQ(sent.err, "");
  EXPECT_THAT(receiver.topics(1), ElementsAre("orders.paid"));
  EXPECT_THAT(receiver.datas, ElementsAre("\x81\xa1"
                                          "a\x01"));
}

TEST(Emit, BadLinesAreReportedAndTheGoodOnesSent) {
  Receiver receiver;
  const auto sent = emit({"--endpoint", receiver.endpoint(), "--timeout", "20s", "--stdin"},
                         "{\"topic\":\"first\",\"data\":1,\"pri\":2}\n"
                         "nonsense\n"
                         "\n"
                         "{\"topic\":\"not..valid\",\"data\":1}\n"
                         "{\"topic\":\"last\",\"data\":1,\"pri\":0}");
  EXPECT_EQ(sent.status, 1);
  EXPECT_THAT(sent.err, HasSubstr("line 2: invalid JSON at byte 1"));
  EXPECT_THAT(sent.err, HasSubstr("line 4: the topic is not"));
  EXPECT_THAT(sent.err, HasSubstr("2 events sent, 2 lines refused"));
  EXPECT_THAT(receiver.topics(2), ElementsAre("first", "last"));
  EXPECT_THAT(receiver.priorities, ElementsAre(proto::Priority::high, proto::Priority::low));
}

TEST(Emit, ManyLinesAllArriveInOrder) {
  Receiver receiver;
  constexpr int count = 20'000;
  std::string input;
  std::vector<std::string> expected;
  for (int i = 0; i < count; ++i) {
    expected.push_back("t" + std::to_string(i));
    input += R"({"topic":")" + expected.back() + R"(","data":{"n":1}})" + "\n";
  }
  test::Process process({test::outrider_binary(), "emit", "--endpoint", receiver.endpoint(),
                         "--timeout", "20s", "--stdin"});
  std::thread writer([&] {
    process.write(input);
    process.close_input();
  });
  EXPECT_EQ(receiver.topics(count), expected);
  writer.join();
  EXPECT_EQ(process.wait(), 0);
}

TEST(Emit, WithoutASidecarItSaysTheCauseAtOnce) {
  const test::TempDir dir;
  const std::string path = dir.file("none.sock");
  // Longer than the test may take.
  const std::vector<std::string> words = {"--endpoint", "ipc://" + path, "--timeout", "1h"};
  std::vector<std::string> one = words;
  one.insert(one.end(), {"a.b", "1"});
  std::vector<std::string> lines = words;
  lines.emplace_back("--stdin");
  for (const bool is_socket_there : {false, true}) {
    if (is_socket_there) {
      // As a sidecar that was killed leaves it.
      sockaddr_un address{};
      address.sun_family = AF_UNIX;
      path.copy(address.sun_path, sizeof(address.sun_path) - 1);
      const int left = ::socket(AF_UNIX, SOCK_STREAM, 0);
      ASSERT_EQ(::bind(left, reinterpret_cast<sockaddr*>(&address), sizeof(address)), 0);
      ::close(left);
    }
    const char* const cause = is_socket_there ? "nobody listens there" : "there is no socket";
    for (const auto& finished : {emit(one), emit(lines, "{\"topic\":\"a\",\"data\":1}\n")}) {
      EXPECT_EQ(finished.status, 1);
      EXPECT_THAT(finished.err, HasSubstr("ipc://" + path + ": " + cause));
    }
  }
}

TEST(Emit, AProcessThatMayNotConnectDoesNotBlameTheSidecar) {
  Receiver receiver;
  const std::string no_others = "exec 3>&- 4>&- 5>&- 6>&- 7>&- 8>&- 9>&-; ";
  for (const char* const descriptors : {"5", "10", "20"}) {
    for (const bool confirm : {false, true}) {
      std::vector<std::string> words = {
          "sh",
          "-c",
          no_others + "ulimit -n " + descriptors + R"(; exec "$0" emit "$@")",
          test::outrider_binary(),
          confirm ? "--confirm-endpoint" : "--endpoint",
          receiver.endpoint(),
          "--timeout",
          "1h",
          "a.b",
          "1"};
      if (confirm) words.emplace_back("--confirm");
      const auto finished = test::run(std::move(words));
      EXPECT_EQ(finished.status, 1);
      EXPECT_THAT(finished.err, HasSubstr("this process has no descriptors or threads left"));
    }
  }
}

TEST(Emit, ADateThatTheSidecarWouldRefuseIsRefusedHere) {
  Receiver receiver;
  const auto finished =
      emit({"--endpoint", receiver.endpoint(), "--at", "1999-12-31T23:59:59Z", "a.b", "1"});
  EXPECT_EQ(finished.status, 2);
  EXPECT_THAT(finished.err, HasSubstr("1999-12-31T23:59:59Z: is before the year 2000"));
  const auto line = emit({"--endpoint", receiver.endpoint(), "--stdin"},
                         R"({"topic":"a.b","data":1,"at":1767225600})");
  EXPECT_EQ(line.status, 1);
  EXPECT_THAT(line.err, HasSubstr("line 1: \"at\": is before the year 2000"));
}

TEST(Emit, WhatIsNoEndpointOfASidecarIsSaid) {
  const test::TempDir dir;
  for (const char* const option : {"--endpoint", "--confirm-endpoint"}) {
    const auto inproc = emit({"--confirm", option, "inproc://x", "a.b", "1"});
    EXPECT_EQ(inproc.status, 2);
    EXPECT_THAT(inproc.err, HasSubstr(std::string(option) + ": inproc:// cannot reach"));
  }
  const auto folder = emit({"--endpoint", "ipc://" + dir.path(), "--timeout", "1h", "a.b", "1"});
  EXPECT_EQ(folder.status, 1);
  EXPECT_THAT(folder.err, HasSubstr(dir.path() + ": it is not a socket"));
}

TEST(Emit, NothingBehindAZeroByteIsDropped) {
  Receiver receiver;
  using namespace std::string_literals;
  const auto sent = emit({"--endpoint", receiver.endpoint(), "--timeout", "20s", "--stdin"},
                         "{\"topic\":\"n\",\"data\":\"first\"}\0{\"topic\":\"n\",\"data\":2}\n"
                         "{\"topic\":\"last\",\"data\":1}\n"s);
  EXPECT_EQ(sent.status, 1);
  EXPECT_THAT(sent.err, HasSubstr("line 1: invalid JSON at byte 28: a zero byte"));
  EXPECT_THAT(sent.err, HasSubstr("1 events sent, 1 lines refused"));
  EXPECT_THAT(receiver.topics(1), ElementsAre("last"));
}

TEST(Emit, AnEventThatIsTooLargeIsSentOnToConfirm) {
  Receiver receiver;
  const std::string line = R"({"topic":"t","data":")" + std::string(1'500'000, 'x') + "\"}\n";
  const auto sent = emit({"--endpoint", receiver.endpoint(), "--timeout", "20s", "--stdin"}, line);
  EXPECT_EQ(sent.status, 1);
  EXPECT_THAT(sent.err, HasSubstr("line 1: the event is too large: its data alone has 1500005 "
                                  "bytes as msgpack, and emit takes 1MiB at most; --confirm"));
}

TEST(Emit, WithoutASidecarOverTcpItSaysTheCauseAtOnceToo) {
  zmq::context_t context;
  zmq::socket_t socket(context, zmq::socket_type::pull);
  socket.bind("tcp://127.0.0.1:*");
  const std::string endpoint = socket.get(zmq::sockopt::last_endpoint);
  const std::vector<std::string> words = {"--endpoint", endpoint, "--timeout", "1h", "a.b", "1"};
  EXPECT_EQ(emit(words).status, 0);
  zmq::message_t message;
  EXPECT_TRUE(socket.recv(message).has_value());
  socket.unbind(endpoint);
  socket.close();
  context.close();
  const auto finished = emit(words);
  EXPECT_EQ(finished.status, 1);
  EXPECT_THAT(finished.err, HasSubstr(endpoint + ": nobody listens there"));
}

TEST(Emit, TheWrongOneOfTheTwoEndpointsIsSaidAtOnce) {
  const Receiver receiver;
  const test::TempDir dir;
  const std::string confirm_endpoint = "ipc://" + dir.file("confirm.sock");
  const test::Confirmer confirmer(confirm_endpoint);
  struct Case {
    std::vector<std::string> words;
    std::string endpoint;
    const char* cause;
  };
  const std::vector<Case> cases = {
      {{"--endpoint", confirm_endpoint}, confirm_endpoint, "not a sidecar's ingest endpoint"},
      {{"--confirm", "--confirm-endpoint", receiver.endpoint()},
       receiver.endpoint(),
       "not a sidecar's ingest.confirm_endpoint"}};
  for (const auto& [words, endpoint, cause] : cases) {
    // Longer than the test may take.
    std::vector<std::string> one = words;
    one.insert(one.end(), {"--timeout", "1h", "a.b", "1"});
    std::vector<std::string> lines = words;
    lines.insert(lines.end(), {"--timeout", "1h", "--stdin"});
    std::vector<std::string> waiting = words;
    waiting.insert(waiting.end(), {"--wait", "--timeout", "100ms", "a.b", "1"});
    for (const auto& finished :
         {emit(one), emit(lines, "{\"topic\":\"a\",\"data\":1}\n"), emit(waiting)}) {
      EXPECT_EQ(finished.status, 1);
      EXPECT_THAT(finished.err, HasSubstr(endpoint + ": it is " + cause));
      EXPECT_THAT(finished.err, Not(HasSubstr("may have arrived")));
    }
  }
}

TEST(Emit, WaitingIsForASidecarThatComes) {
  const test::TempDir dir;
  const std::string endpoint = "ipc://" + dir.file("late.sock");
  test::Process process({test::outrider_binary(), "emit", "--wait", "--timeout", "20s",
                         "--endpoint", endpoint, "a.b", "1"});
  zmq::context_t context;
  zmq::socket_t socket(context, zmq::socket_type::pull);
  socket.set(zmq::sockopt::rcvtimeo, 20'000);
  socket.bind(endpoint);
  zmq::message_t message;
  EXPECT_TRUE(socket.recv(message).has_value());
  EXPECT_EQ(process.wait(), 0);
}

TEST(Emit, StdinThatCannotBeReadIsAnError) {
  Receiver receiver;
  const auto sent = test::run({"/bin/sh", "-c", "\"$0\" emit --endpoint \"$1\" --stdin </tmp",
                               test::outrider_binary(), receiver.endpoint()});
  EXPECT_EQ(sent.status, 1);
  EXPECT_THAT(sent.err, HasSubstr("stdin cannot be read: Is a directory"));
}

/// A sidecar that is connected and reads nothing: what it may not have got is not said to be sent.
TEST(Emit, WhatMayNotHaveArrivedIsNotSent) {
  Receiver receiver(1);
  std::string input;
  for (int i = 0; i < 30; ++i) {
    input += R"({"topic":"t","data":")" + std::string(200'000, 'x') + "\"}\n";
  }
  const auto sent =
      emit({"--endpoint", receiver.endpoint(), "--timeout", "300ms", "--stdin"}, input);
  EXPECT_EQ(sent.status, 1);
  std::size_t said = 0;
  ASSERT_EQ(std::sscanf(sent.err.c_str(), "%zu events sent", &said), 1) << sent.err;
  EXPECT_THAT(sent.err, HasSubstr(" unknown, "));
  EXPECT_THAT(sent.err, HasSubstr(" lost, "));
  EXPECT_EQ(receiver.topics(said).size(), said);
}

/// Runs `outrider emit --confirm` with these words against a sidecar that answers each frame by
/// `answer(confirmer, frame)`.
template <typename Answer>
test::Finished emit_confirmed(std::vector<std::string> words, const std::string& input,
                              const Answer& answer) {
  const test::TempDir dir;
  const std::string endpoint = "ipc://" + dir.file("confirm.sock");
  test::Confirmer confirmer(endpoint);
  test::Background sidecar([&] {
    if (confirmer.receive_frame(std::chrono::milliseconds(10))) {
      answer(confirmer, confirmer.frames.back());
    }
  });
  words.insert(words.begin(), {"--confirm", "--confirm-endpoint", endpoint});
  return emit(std::move(words), input);
}

void take(test::Confirmer& confirmer, const test::ConfirmedFrame& frame) {
  confirmer.answer(frame);
}

TEST(EmitConfirmed, EndsWellOnlyWhenTheSidecarHasTheEvent) {
  const std::vector<std::string> words = {"--timeout", "20s", "orders.paid", "1"};
  const auto sent = emit_confirmed(words, "", take);
  EXPECT_EQ(sent.status, 0) << sent.err;
  EXPECT_EQ(sent.err, "");

  const auto refused = emit_confirmed(words, "", [](auto& confirmer, const auto& frame) {
    confirmer.answer(frame, 0, {{0, 20}});
  });
  EXPECT_EQ(refused.status, 1);
  EXPECT_THAT(refused.err, HasSubstr("answered event_attributes: "));

  const auto full =
      emit_confirmed({"--timeout", "1h", "orders.paid", "1"}, "",
                     [](auto& confirmer, const auto& frame) { confirmer.answer(frame, 32); });
  EXPECT_EQ(full.status, 1) << "at once";
  EXPECT_THAT(full.err, HasSubstr("answered spool_full: "));
  EXPECT_THAT(full.err, Not(HasSubstr("may have arrived"))) << "it has not";

  const auto full_lines =
      emit_confirmed({"--timeout", "1h", "--stdin"}, "{\"topic\":\"t\",\"data\":1}\n",
                     [](auto& confirmer, const auto& frame) { confirmer.answer(frame, 32); });
  EXPECT_EQ(full_lines.status, 1) << "at once";
  EXPECT_THAT(full_lines.err, HasSubstr("answered spool_full: "));
  EXPECT_THAT(full_lines.err,
              HasSubstr("0 refused by the sidecar, 1 not accepted, 0 lines refused"));

  int answers = 0;
  const auto had_room = emit_confirmed({"--wait", "--timeout", "1h", "orders.paid", "1"}, "",
                                       [&answers](auto& confirmer, const auto& frame) {
                                         confirmer.answer(frame, ++answers < 3 ? 32 : 0);
                                       });
  EXPECT_EQ(had_room.status, 0) << had_room.err;

  const auto ignored =
      emit_confirmed({"--timeout", "1s", "orders.paid", "1"}, "", [](const auto&, const auto&) {});
  EXPECT_EQ(ignored.status, 1);
  EXPECT_THAT(ignored.err, HasSubstr("no sidecar confirmed all events at ipc:///tmp/"));
  EXPECT_THAT(ignored.err, HasSubstr(" within 1s: the sidecar has not answered yet"));
  EXPECT_THAT(ignored.err, HasSubstr("the event may have arrived"));
}

TEST(EmitConfirmed, LinesAreCountedByWhatBecameOfThem) {
  // More than the SDK keeps unconfirmed, so that reading has to wait for the sidecar.
  const std::string line = R"({"topic":"t","data":")" + std::string(5'000, 'x') + "\"}\n";
  constexpr int count = 3'000;
  std::string input;
  for (int i = 0; i < count; ++i) input += line;
  const auto all = emit_confirmed({"--timeout", "20s", "--stdin"}, input, take);
  EXPECT_EQ(all.status, 0) << all.err;
  EXPECT_EQ(all.err, "3000 events confirmed, 0 refused by the sidecar, 0 lines refused\n");

  const auto some = emit_confirmed({"--timeout", "20s", "--stdin"}, line + "nonsense\n",
                                   [](auto& confirmer, const auto& frame) {
                                     confirmer.answer(frame, 0, {{0, 20}});
                                   });
  EXPECT_EQ(some.status, 1);
  EXPECT_THAT(some.err, HasSubstr("0 events confirmed, 1 refused by the sidecar, 1 lines refused"));
}

/// Answers with the limits of a sidecar that takes more than by default.
void take_large(test::Confirmer& confirmer, const test::ConfirmedFrame& frame) {
  confirmer.send(
      frame.peer,
      proto::write_confirm_answer(
          {frame.sequence, 0, {}, {.frame_bytes_max = 8U << 20U, .event_bytes_max = 2U << 20U}}));
}

TEST(EmitConfirmed, AnEventMayBeAsLargeAsTheSidecarTakes) {
  const auto line = [](std::size_t bytes) {
    return R"({"topic":"t","data":")" + std::string(bytes, 'x') + "\"}\n";
  };
  const auto taken =
      emit_confirmed({"--timeout", "20s", "--stdin"}, line(1'500'000) + line(1), take_large);
  EXPECT_EQ(taken.status, 0) << taken.err;
  EXPECT_THAT(taken.err, HasSubstr("2 events confirmed, "));

  const auto beyond = emit_confirmed({"--timeout", "20s", "--stdin"},
                                     line(9'000'000) + line(68'000'000), take_large);
  EXPECT_EQ(beyond.status, 1);
  EXPECT_THAT(beyond.err, HasSubstr("1 refused by the sidecar, 1 lines refused"));
  EXPECT_THAT(beyond.err, HasSubstr("line 2: the event is too large: its data alone has 68000005 "
                                    "bytes as msgpack, and emit takes 64MiB at most and no more"));
}

TEST(EmitConfirmed, EventsMayBeForLater) {
  std::uint64_t at_ns = 0;
  const auto note_at = [&](test::Confirmer& confirmer, const test::ConfirmedFrame& frame) {
    at_ns = frame.at_ns.at(0);
    confirmer.answer(frame);
  };
  EXPECT_EQ(emit_confirmed({"--at", "2026-01-31T12:00:00Z", "t", "1"}, "", note_at).status, 0);
  EXPECT_EQ(at_ns, 1769860800000000000U);
  EXPECT_EQ(emit_confirmed({"--delay", "24h", "t", "1"}, "", note_at).status, 0);
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  const auto tomorrow_ns =
      static_cast<std::uint64_t>(std::chrono::nanoseconds(now).count()) + 86'400'000'000'000U;
  EXPECT_LE(at_ns, tomorrow_ns);
  EXPECT_GT(at_ns, tomorrow_ns - 600'000'000'000U);
}

TEST(EmitConfirmed, OptionsThatDoNotGoTogetherAreRefused) {
  const auto both = emit({"--at", "2026-01-31T12:00:00Z", "--delay", "1s", "t", "1"});
  EXPECT_EQ(both.status, 2);
  EXPECT_THAT(both.err, HasSubstr("give --at or --delay, not both"));
  const auto lines = emit({"--delay", "1s", "--stdin"});
  EXPECT_EQ(lines.status, 2);
  EXPECT_THAT(lines.err, HasSubstr("a line has its own \"at\""));
  const auto time = emit({"--at", "tomorrow", "t", "1"});
  EXPECT_EQ(time.status, 2);
  EXPECT_THAT(time.err, HasSubstr("\"tomorrow\" is not a time as in 2026-01-31T12:00:00Z"));
}

}  // namespace
}  // namespace outrider::sidecar
