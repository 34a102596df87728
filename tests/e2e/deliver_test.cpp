// deliver() from the SDK through the real sidecar to a receiver: what it promises, and to whom.

#include <future>

#include <sys/stat.h>
#include <zmq.h>

#include "e2e/spool_fixture.hpp"
#include "proto/confirm.hpp"
#include "proto/frame_reader.hpp"
#include "proto/refusal.hpp"
#include "support/frames.hpp"
#include "support/places.hpp"

namespace outrider::test {
namespace {

using Clock = std::chrono::steady_clock;

class Deliver : public SpoolTest {
 protected:
  FaultReceiver receiver_;
};

TEST_F(Deliver, IsConfirmedByFutureByFunctionAndByWaiting) {
  Sidecar sidecar(dir_, config(receiver_.url()));
  Client client(client_options());

  std::future<Status> future = client.deliver("orders.paid", {{"n", 1}}, {.id = event_id(1)});
  std::promise<Status> told;
  EXPECT_EQ(client.deliver("orders.paid", {{"n", 2}},
                           [&told](Status status) { told.set_value(status); }, {.id = event_id(2)}),
            Status::ok);
  EXPECT_EQ(client.deliver_wait(20s, "orders.paid", {{"n", 3}}, {.id = event_id(3)}), Status::ok);

  EXPECT_EQ(future.get(), Status::ok);
  EXPECT_EQ(told.get_future().get(), Status::ok);
  EXPECT_TRUE(wait_until_received(receiver_, {1, 2, 3}));
  EXPECT_EQ(sidecar.stop(), 0) << sidecar.err();
  EXPECT_EQ(sorted(received_by(receiver_)), range(1, 3));
  EXPECT_EQ(sidecar.ledger("audit").delivered, 3U);
  spool_.expect_empty_and_sound();
}

TEST_F(Deliver, IsConfirmedWhenTheEventIsOnDiskAndNotWhenItHasArrived) {
  receiver_.refuse();
  Sidecar sidecar(dir_, config(receiver_.url(), "", "100ms"));
  Client client(client_options());
  deliver(client, 1, 100);
  EXPECT_TRUE(client.flush(20s));
  EXPECT_EQ(confirmed_.size(), 100U);
  EXPECT_EQ(spool_.events(), 100);
  EXPECT_EQ(sidecar.stop(), 0) << sidecar.err();
  EXPECT_EQ(sidecar.ledger("audit").spooled, 100U);
  EXPECT_EQ(spool_.events(), 100);
}

TEST_F(Deliver, GoesOnThroughRestartsOfTheSidecar) {
  Client client(client_options());
  long next = 1;
  const auto deliver_some = [&] {
    deliver(client, next, next + 49);
    next += 50;
  };
  deliver_some();  // before there is one
  for (int life = 0; life < 6; ++life) {
    Sidecar sidecar(dir_, config(receiver_.url()));
    deliver_some();
    if (life % 2 == 0) {
      EXPECT_EQ(sidecar.stop(), 0) << sidecar.err();
    } else {
      sidecar.process().signal(SIGKILL);
      EXPECT_EQ(sidecar.process().wait(), 128 + SIGKILL);
    }
    deliver_some();
  }
  Sidecar sidecar(dir_, config(receiver_.url()));
  EXPECT_TRUE(client.flush(20s));
  EXPECT_EQ(confirmed_.all(), issued_.all());
  EXPECT_TRUE(wait_until_received(receiver_, issued_.all()));
  EXPECT_EQ(sidecar.stop(), 0) << sidecar.err();
  spool_.expect_empty_and_sound();
}

TEST_F(Deliver, ADestinationThatIsFullDoesNotHoldUpAnother) {
  FaultReceiver down;
  down.refuse();
  Sidecar sidecar(dir_, config(receiver_.url(),
                               "topics = orders.>\n[destination.down]\ntype = http\nurl = " +
                                   down.url() + "\ntopics = users.>\nspool_bytes_max = 1MiB",
                               "100ms"));
  Client client(client_options());
  const std::string filler(10'000, 'x');
  std::set<long> numbers;
  // Three times what the one that is down has room for, among the events of the other.
  for (long number = 1; number <= 300; ++number) {
    const auto user = client.deliver("users.new", {{"x", filler}}, [](Status) {});
    EXPECT_EQ(user, Status::ok);
    deliver(client, number);
    numbers.insert(number);
  }
  EXPECT_TRUE(wait_until_received(receiver_, numbers));
  // An answer to the client and a request to the receiver are in no order.
  EXPECT_TRUE(eventually([&] { return confirmed_.all() == numbers; }));
  EXPECT_EQ(sidecar.stop(), 0) << sidecar.err();
  EXPECT_NE(sidecar.err().find("reason=destination_full"), std::string::npos) << sidecar.err();
  EXPECT_EQ(sidecar.err().find("reason=spool_full"), std::string::npos) << sidecar.err();
}

TEST_F(Deliver, AnEventThatNoSidecarTakesEndsAndHoldsUpNobody) {
  Sidecar sidecar(dir_, config(receiver_.url()));
  Options options = client_options();
  options.event_bytes_max = 64U << 20U;
  options.deliver_bytes_max = options.event_bytes_max;
  Client client(options);
  const auto nothing = [](Writer& writer) { writer.value(nullptr); };
  std::future<Status> first = client.deliver("orders.paid", nothing);
  std::future<Status> huge = client.deliver("orders.paid", std::string(20'000'000, 'x'));
  std::future<Status> last = client.deliver("orders.paid", nothing);
  ASSERT_TRUE(client.flush(20s));
  EXPECT_EQ(first.get(), Status::ok);
  const Status end = huge.get();
  EXPECT_TRUE(end == Status::refused || end == Status::too_large) << "by when the limits came";
  EXPECT_EQ(last.get(), Status::ok);
  EXPECT_EQ(client.deliver("orders.paid", std::string(20'000'000, 'x')).get(), Status::too_large)
      << "the limits are known by now";
  EXPECT_EQ(sidecar.stop(), 0) << sidecar.err();
}

TEST_F(Deliver, OneSpoolHasOneSidecar) {
  Sidecar first(dir_, config(receiver_.url()));
  const Finished second =
      run({test::outrider_binary(), "run", "--config", dir_.file("outrider.conf"),
           "--ingest.endpoint=ipc://" + dir_.file("o2.sock"),
           "--ingest.confirm_endpoint=ipc://" + dir_.file("c2.sock")});
  EXPECT_EQ(second.status, 1) << second.err;
  EXPECT_NE(second.err.find("in use by another sidecar"), std::string::npos) << second.err;

  Client client(client_options());
  EXPECT_EQ(client.deliver_wait(20s, "orders.paid", {{"n", 1}}, {.id = event_id(1)}), Status::ok);
  EXPECT_TRUE(wait_until_received(receiver_, {1}));
  EXPECT_EQ(first.stop(), 0) << first.err();
}

TEST_F(Deliver, TheSpoolIsForItsOwnerAlone) {
  Sidecar sidecar(dir_, config(receiver_.url()));
  Client client(client_options());
  EXPECT_EQ(client.deliver_wait(20s, "orders.paid", {{"n", 1}}, {.id = event_id(1)}), Status::ok);
  for (const char* suffix : {"", "-wal", "-shm", ".lock"}) {
    struct stat status {};
    ASSERT_EQ(stat((spool_.path() + suffix).c_str(), &status), 0) << suffix;
    EXPECT_EQ(status.st_mode & 07777U, 0600U) << suffix;
  }
}

TEST_F(Deliver, TheShellCommandEndsWithZeroWhenTheEventIsConfirmed) {
  const auto emit = [&](const std::string& timeout) {
    return run({test::outrider_binary(), "emit", "--confirm", "--confirm-endpoint",
                confirm_endpoint_, "--timeout", timeout, "orders.paid", "{\"n\": 1}"});
  };
  EXPECT_EQ(emit("200ms").status, 1) << "there is no sidecar";
  Sidecar sidecar(dir_, config(receiver_.url()));
  const Finished confirmed = emit("20s");
  EXPECT_EQ(confirmed.status, 0) << confirmed.err;
  EXPECT_TRUE(eventually([&] { return receiver_.counts().answered == 1; }));
  EXPECT_EQ(sidecar.stop(), 0) << sidecar.err();
}

TEST_F(Deliver, ADelayedEventIsNotEarlyNotEvenOverACrash) {
  auto sidecar = std::make_unique<Sidecar>(dir_, config(receiver_.url()));
  Client client(client_options());
  const auto begin = Clock::now();
  deliver(client, 1, {.delay = 200ms});
  deliver(client, 2, {.delay = 700ms});
  deliver(client, 3, {.at = std::chrono::system_clock::now() + 700ms});
  EXPECT_TRUE(client.flush(20s));
  EXPECT_EQ(confirmed_.size(), 3U);
  EXPECT_TRUE(wait_until_received(receiver_, {1}));
  EXPECT_GE(Clock::now() - begin, 200ms);

  sidecar->process().signal(SIGKILL);
  sidecar->process().wait();
  sidecar = std::make_unique<Sidecar>(dir_, config(receiver_.url()));
  EXPECT_TRUE(eventually([&] {
    const std::size_t received = distinct(received_by(receiver_)).size();
    if (Clock::now() - begin < 700ms) {
      EXPECT_EQ(received, 1U);
    }
    return received == 3;
  }));
  EXPECT_EQ(sidecar->stop(), 0) << sidecar->err();
  spool_.expect_empty_and_sound();
}

TEST_F(Deliver, TheShellCommandsDelayedEventIsNotEarly) {
  Sidecar sidecar(dir_, config(receiver_.url()));
  const auto begin = Clock::now();
  const Finished emit = run({test::outrider_binary(), "emit", "--confirm", "--confirm-endpoint",
                             confirm_endpoint_, "--delay", "500ms", "orders.paid", "{\"n\": 1}"});
  EXPECT_EQ(emit.status, 0) << emit.err;
  EXPECT_TRUE(eventually([&] { return receiver_.counts().requests == 1; }));
  EXPECT_GE(Clock::now() - begin, 500ms);
  EXPECT_EQ(sidecar.stop(), 0) << sidecar.err();
}

/// A client without an SDK.
class Dealer {
 public:
  explicit Dealer(const std::string& endpoint) {
    const int timeout_ms = 20'000;
    const int linger_ms = 0;
    zmq_setsockopt(socket_, ZMQ_RCVTIMEO, &timeout_ms, sizeof timeout_ms);
    zmq_setsockopt(socket_, ZMQ_LINGER, &linger_ms, sizeof linger_ms);
    EXPECT_EQ(zmq_connect(socket_, endpoint.c_str()), 0);
  }
  ~Dealer() {
    zmq_close(socket_);
    zmq_ctx_term(context_);
  }
  Dealer(const Dealer&) = delete;
  Dealer& operator=(const Dealer&) = delete;

  /// Sends a frame of these events and waits for its answer.
  proto::ConfirmAnswer ask(std::uint64_t sequence, const std::vector<std::string>& events) {
    static constexpr std::array<std::uint8_t, proto::client_id_bytes> client = {1, 2, 3};
    const std::string frame = frame_bytes(events, {.client_id = client, .sequence = sequence});
    EXPECT_EQ(zmq_send(socket_, frame.data(), frame.size(), 0), static_cast<int>(frame.size()));
    std::uint8_t buffer[1000];
    const int bytes = zmq_recv(socket_, buffer, sizeof buffer, 0);
    EXPECT_GT(bytes, 0) << "no answer";
    proto::ConfirmAnswer answer;
    EXPECT_TRUE(bytes > 0 && proto::read_confirm_answer(
                                 proto::ByteView(buffer, static_cast<std::size_t>(bytes)), answer));
    return answer;
  }

 private:
  void* context_ = zmq_ctx_new();
  void* socket_ = zmq_socket(context_, ZMQ_DEALER);
};

TEST_F(Deliver, EveryFrameWithANumberIsAnswered) {
  Sidecar sidecar(dir_, config(receiver_.url()));
  Dealer dealer(confirm_endpoint_);
  const auto event = [](std::size_t bytes) {
    return event_bytes(
        "orders.paid", 0,
        "\xda" + std::string{static_cast<char>(bytes >> 8U), static_cast<char>(bytes & 0xffU)} +
            std::string(bytes, 'x'));
  };
  const proto::ConfirmAnswer empty = dealer.ask(1, {});
  const proto::SaidLimits limits = {4U << 20U, 1U << 20U};
  EXPECT_EQ(empty, (proto::ConfirmAnswer{1, 0, {}, limits}));
  const proto::ConfirmAnswer good = dealer.ask(2, {event(10)});
  EXPECT_EQ(good, (proto::ConfirmAnswer{2, 0, {}, limits}));
  const proto::ConfirmAnswer again = dealer.ask(2, {event(10)});
  EXPECT_EQ(again, good) << "and not taken twice";
  // Larger than ingest.frame_bytes_max, 4 MiB, and smaller than what libzmq would cut off.
  const proto::ConfirmAnswer large = dealer.ask(3, std::vector<std::string>(100, event(60'000)));
  EXPECT_EQ(large.sequence, 3U);
  EXPECT_EQ(large.status, static_cast<std::uint64_t>(proto::Refusal::frame_too_large));
  const proto::ConfirmAnswer mixed =
      dealer.ask(4, {event(10), event_bytes("bad topic", 0, "\x01"), event(10)});
  EXPECT_EQ(mixed.status, 0U);
  ASSERT_EQ(mixed.refused.size(), 1U);
  EXPECT_EQ(mixed.refused[0].index, 1U);
  EXPECT_EQ(sidecar.stop(), 0) << sidecar.err();
  EXPECT_EQ(sidecar.ledger("audit").delivered, 3U);
}

}  // namespace
}  // namespace outrider::test
