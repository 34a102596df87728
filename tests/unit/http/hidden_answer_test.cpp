// Second answers that no socket shows: they have come with the first one, and lie in OpenSSL, or in
// libcurl. None of them is the answer to a later request.

#include <memory>
#include <optional>
#include <string>
#include <tuple>
#include <vector>

#include <dlfcn.h>
#include <openssl/ssl.h>
#include <poll.h>

#include "support/curl_fixture.hpp"
#include "support/fault_receiver.hpp"
#include "support/tcp_peer.hpp"

namespace {

/// As for a proxy of TLS, which only the system's authorities can vouch for.
bool trusts_all = false;

}  // namespace

extern "C" [[gnu::visibility("default")]] void SSL_CTX_set_verify(SSL_CTX* context, int mode,
                                                                  SSL_verify_cb callback) {
  using Function = void (*)(SSL_CTX*, int, SSL_verify_cb);
  static const auto system = reinterpret_cast<Function>(dlsym(RTLD_NEXT, "SSL_CTX_set_verify"));
  system(context, trusts_all ? SSL_VERIFY_NONE : mode, callback);
}

extern "C" [[gnu::visibility("default")]] long SSL_get_verify_result(const SSL* session) {
  using Function = long (*)(const SSL*);
  static const auto system = reinterpret_cast<Function>(dlsym(RTLD_NEXT, "SSL_get_verify_result"));
  return trusts_all ? static_cast<long>(X509_V_OK) : system(session);
}

namespace outrider::sidecar {
namespace {

using test::answer_text;
using test::FaultReceiver;
using test::Script;
using test::send_text;
using test::speak;
using test::TcpPeer;

/// A proxy that is spoken to by TLS. All that comes from the target at a time goes on in one
/// record.
class TlsProxy {
 public:
  explicit TlsProxy(const test::Certificate& certificate)
      : context_(test::make_tls_context({.certificate = certificate})) {}

  std::string url() const { return "https://127.0.0.1:" + std::to_string(peer_.port()); }

 private:
  struct FreeSession {
    void operator()(SSL* session) const { SSL_free(session); }
  };

  void serve(int fd) const {
    const std::unique_ptr<SSL, FreeSession> session(SSL_new(context_.get()));
    SSL_set_fd(session.get(), fd);
    if (SSL_accept(session.get()) != 1) return;
    std::string head;
    for (char byte = 0; !head.ends_with("\r\n\r\n"); head += byte) {
      if (SSL_read(session.get(), &byte, 1) != 1) return;
    }
    const std::size_t colon = head.find(':');  // CONNECT HOST:PORT
    const int target = connect_to(std::stoi(head.substr(colon + 1)));
    const std::string answer = "HTTP/1.1 200 OK\r\n\r\n";
    SSL_write(session.get(), answer.data(), static_cast<int>(answer.size()));
    while (carry_on(*session, fd, target)) {
    }
    close(target);
  }

  static int connect_to(int port) {
    const int fd = socket(AF_INET, SOCK_STREAM, 0);
    const sockaddr_in address{.sin_family = AF_INET,
                              .sin_port = htons(static_cast<std::uint16_t>(port)),
                              .sin_addr = {.s_addr = htonl(INADDR_LOOPBACK)},
                              .sin_zero = {}};
    connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address);
    return fd;
  }

  static bool carry_on(SSL& session, int client, int target) {
    char buffer[16384];
    pollfd ends[] = {{.fd = client, .events = POLLIN, .revents = 0},
                     {.fd = target, .events = POLLIN, .revents = 0}};
    if (SSL_has_pending(&session) != 1) poll(ends, 2, -1);
    if (SSL_has_pending(&session) == 1 || ends[0].revents != 0) {
      const int got = SSL_read(&session, buffer, sizeof buffer);
      if (got <= 0) return false;
      TcpPeer::write_all(target, std::string(buffer, static_cast<std::size_t>(got)));
    }
    if (ends[1].revents == 0) return true;
    std::string text;
    for (bool is_quiet = false; !is_quiet; is_quiet = poll(&ends[1], 1, 20) == 0) {
      const ssize_t got = read(target, buffer, sizeof buffer);
      if (got <= 0) return false;
      text.append(buffer, static_cast<std::size_t>(got));
    }
    return SSL_write(&session, text.data(), static_cast<int>(text.size())) > 0;
  }

  test::TlsContext context_;
  TcpPeer peer_{[this](int fd) { serve(fd); }};
};

enum class Way { tcp, tls, tls_unix_socket, tls_proxy };

/// What comes in writes, and so in records, of its own.
struct Writes {
  std::string name;
  std::string first;
  std::string second;
  bool is_quiet = false;
};

const std::string stale = answer_text(410);
const std::string head = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n";
const std::string chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
const std::vector<Writes> all_writes = {
    {"Quiet", head + "OK", "", true},
    {"QuietInTwo", head, "OK", true},
    {"WithTheBody", head, "OK" + stale},
    {"WithTheEndOfTheBody", head + "O", "K" + stale},
    {"AfterTheBody", head + "OK", stale},
    {"WithAllOfIt", head + "OK" + stale, ""},
    {"HalfOfItWithTheBody", head, "OK" + stale.substr(0, 20)},
    {"GarbageWithTheBody", head, "OKgarbage\r\n"},
    {"AfterNoBody", answer_text(200, "", ""), stale},
    {"WithNoBody", answer_text(200, "", "") + stale, ""},
    {"WithTheChunks", chunked, "2\r\nOK\r\n0\r\n\r\n" + stale},
    {"AfterTheChunks", chunked + "2\r\nOK\r\n0\r\n\r\n", stale},
};

class HiddenAnswer : public test::CurlFixture,
                     public testing::WithParamInterface<std::tuple<Way, Writes>> {
 protected:
  void SetUp() override { trusts_all = way() == Way::tls_proxy; }
  void TearDown() override {
    transport_.reset();
    trusts_all = false;
  }

  static Way way() { return std::get<0>(GetParam()); }

  FaultReceiver::Options options() {
    FaultReceiver::Options options;
    if (way() != Way::tcp) options.tls = test::TlsOptions{certificate_};
    if (way() == Way::tls_unix_socket) options.unix_path = dir_.file("receiver.sock");
    return options;
  }

  const test::Certificate certificate_ =
      test::make_certificate(dir_.path(), "IP:127.0.0.1,DNS:localhost");
};

TEST_P(HiddenAnswer, IsNotTheNextOne) {
  const Writes& writes = std::get<1>(GetParam());
  FaultReceiver receiver(options());
  const Script script = {test::read_all(), send_text(writes.first), send_text(writes.second)};
  receiver.script_requests({}, script);
  DestinationConfig config = to(receiver.url());
  config.ca_file = certificate_.cert_file;
  if (way() == Way::tls_unix_socket) {
    config.tls_server_name = "localhost";
    config.urls = {"https" + receiver.url().substr(receiver.url().find(':'))};
  }
  std::optional<TlsProxy> proxy;
  if (way() == Way::tls_proxy) config.proxy = proxy.emplace(certificate_).url();
  open(config);
  constexpr AttemptId requests = 3;
  for (AttemptId id = 1; id <= requests; ++id) {
    const std::string body = "body " + std::to_string(id);
    start(id, body);
    const Completion completion = finish_one();
    EXPECT_EQ(completion.result, AttemptResult::answered) << completion.detail;
    EXPECT_EQ(completion.status, 200);
    // An answer that is not its own would come before the request has arrived.
    EXPECT_EQ(receiver.arrivals().size(), id);
  }
  if (writes.is_quiet) {
    EXPECT_EQ(receiver.counts().connections, 1U);
  }
  transport_.reset();
}

std::string name_of(Way way) {
  static const char* const names[] = {"Tcp", "Tls", "TlsUnix", "TlsProxy"};
  return names[static_cast<int>(way)];
}

INSTANTIATE_TEST_SUITE_P(Writes, HiddenAnswer,
                         testing::Combine(testing::Values(Way::tcp, Way::tls, Way::tls_unix_socket,
                                                          Way::tls_proxy),
                                          testing::ValuesIn(all_writes)),
                         [](const auto& test) {
                           return std::get<1>(test.param).name + name_of(std::get<0>(test.param));
                         });

}  // namespace
}  // namespace outrider::sidecar
