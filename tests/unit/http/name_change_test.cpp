// A name whose address changes. The test is its own name server: libcurl calls the getaddrinfo that
// is defined here, which sends one name to the server of the moment.

#include <atomic>
#include <string>

#include <dlfcn.h>
#include <netdb.h>

#include "support/curl_fixture.hpp"

namespace {

constexpr std::string_view moving_name = "moving.test";
std::atomic<int> moving_port{0};

}  // namespace

extern "C" [[gnu::visibility("default")]] int getaddrinfo(const char* name, const char* service,
                                                          const addrinfo* hints, addrinfo** found) {
  using Function = int (*)(const char*, const char*, const addrinfo*, addrinfo**);
  static const auto system = reinterpret_cast<Function>(dlsym(RTLD_NEXT, "getaddrinfo"));
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

}  // namespace
}  // namespace outrider::sidecar
