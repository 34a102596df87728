// A name whose address changes. The test is its own name server: libcurl calls the getaddrinfo that
// is defined here, which sends one name to the server of the moment.

#include <atomic>
#include <string>

#include <dlfcn.h>
#include <netdb.h>

#include "support/curl_fixture.hpp"
#include "support/tcp_peer.hpp"
#include "support/tcp_relay.hpp"

namespace {

constexpr std::string_view moving_name = "moving.test";
std::atomic<int> moving_port{0};
/// Has 127.0.0.1 first, and then 127.0.0.2.
constexpr std::string_view double_name = "double.test";

}  // namespace

extern "C" [[gnu::visibility("default")]] int getaddrinfo(const char* name, const char* service,
                                                          const addrinfo* hints, addrinfo** found) {
  using Function = int (*)(const char*, const char*, const addrinfo*, addrinfo**);
  static const auto system = reinterpret_cast<Function>(dlsym(RTLD_NEXT, "getaddrinfo"));
  if (name != nullptr && name == double_name) {
    addrinfo* second = nullptr;
    const int failure = system("127.0.0.1", service, hints, found);
    if (failure != 0) return failure;
    if (system("127.0.0.2", service, hints, &second) != 0) return 0;
    addrinfo* last = *found;
    while (last->ai_next != nullptr) last = last->ai_next;
    last->ai_next = second;
    return 0;
  }
  if (name == nullptr || name != moving_name) return system(name, service, hints, found);
  const int port = moving_port;
  if (port == 0) return EAI_NONAME;
  return system("127.0.0.1", std::to_string(port).c_str(), hints, found);
}

namespace outrider::sidecar {
namespace {

using test::HttpsServer;

class NameChangeTest : public test::CurlFixture {};

TEST_F(NameChangeTest, ANameThatMovedIsFoundWhenConnectionsAge) {
  HttpsServer& before = serve();
  HttpsServer& after = serve();
  DestinationConfig config = to("http://moving.test/events");
  config.connection_age_max = std::chrono::seconds(1);
  moving_port = before.port();
  const Completion first = send(config);
  ASSERT_EQ(first.status, 200) << first.detail;
  moving_port = after.port();
  // The old server is there still and answers on the old connection; only age leads away from it.
  AttemptId id = 1;
  EXPECT_TRUE(run_until([&] {
    start(++id);
    const Completion completion = finish_one();
    EXPECT_EQ(completion.status, 200) << completion.detail;
    return completion.status != 200 || !after.received().empty();
  }));
  EXPECT_GT(before.received().size(), 1U);
}

TEST_F(NameChangeTest, ANameThatIsGoneFailsUntilItIsBack) {
  HttpsServer& server = serve();
  open(to("http://moving.test/events"));
  moving_port = 0;
  start(1);
  const Completion gone = finish_one();
  EXPECT_EQ(gone.result, AttemptResult::failed);
  EXPECT_NE(gone.detail.find("cannot find the address of moving.test:80"), std::string::npos);
  moving_port = server.port();
  start(2);
  EXPECT_EQ(finish_one().status, 200);
}

/// Accepts at the first address and never answers; answers at the second.
class TwoAddressesTest : public NameChangeTest {
 protected:
  DestinationConfig to_both(const test::Certificate* certificate) {
    const HttpsServer& server = serve({}, certificate);
    silent_ = std::make_unique<test::TcpPeer>(test::TcpPeer::read_all);
    relay_ = std::make_unique<test::TcpRelay>(server.port(), "127.0.0.2", silent_->port());
    EXPECT_TRUE(relay_->is_listening());
    DestinationConfig config =
        to((certificate != nullptr ? "https" : "http") + std::string("://double.test:") +
           std::to_string(silent_->port()) + "/events");
    if (certificate != nullptr) config.ca_file = certificate->cert_file;
    config.timeout = std::chrono::seconds(4);
    config.connect_timeout = std::chrono::seconds(3);
    return config;
  }

  void expect_the_second_is_found(const DestinationConfig& config) {
    open(config);
    start(1);
    EXPECT_EQ(finish_one().result, AttemptResult::failed);
    for (AttemptId id = 2; id <= 5; ++id) {
      start(id);
      const Completion completion = finish_one();
      EXPECT_EQ(completion.status, 200) << completion.detail;
    }
  }

  void TearDown() override { transport_.reset(); }

  std::unique_ptr<test::TcpPeer> silent_;
  std::unique_ptr<test::TcpRelay> relay_;
};

TEST_F(TwoAddressesTest, OneThatNeverAnswersIsLeftForTheOther) {
  expect_the_second_is_found(to_both(nullptr));
}

TEST_F(TwoAddressesTest, AlsoWhereItsSilenceIsThatOfTls) {
  const test::Certificate certificate = test::make_certificate(dir_.path(), "DNS:double.test");
  expect_the_second_is_found(to_both(&certificate));
}

TEST_F(TwoAddressesTest, TheOnlyOneThatConnectsIsTakenAllTheSame) {
  const DestinationConfig config = to_both(nullptr);
  relay_.reset();
  open(config);
  for (AttemptId id = 1; id <= 2; ++id) {
    start(id);
    const Completion completion = finish_one();
    EXPECT_EQ(completion.result, AttemptResult::failed);
    EXPECT_NE(completion.detail.find("no answer from double.test"), std::string::npos)
        << completion.detail;
  }
}

}  // namespace
}  // namespace outrider::sidecar
