#include "sidecar/cli/admin_client.hpp"

#include <chrono>
#include <system_error>
#include <utility>

#include <curl/curl.h>

#include "sidecar/base/handle.hpp"
#include "sidecar/base/text.hpp"

namespace outrider::sidecar {
namespace {

constexpr const char* start_hint =
    "start one with `outrider run --config FILE` or `systemctl start outrider`, or say where it is "
    "with --admin or --config";

std::size_t take_body(char* bytes, std::size_t size, std::size_t count, void* to) {
  auto& body = *static_cast<std::string*>(to);
  // Less than was given ends the request.
  if (body.size() + size * count > AdminClient::answer_bytes_max) return 0;
  body.append(bytes, size * count);
  return size * count;
}

std::string url_of(const AdminTarget& target, const std::string& path) {
  const std::string scheme = target.cert_file.empty() ? "http://" : "https://";
  const AdminAddress& address = target.address;
  if (address.kind == AdminAddress::Kind::unix_socket) return scheme + "localhost" + path;
  const bool is_v6 = address.host.find(':') != std::string::npos;
  std::string host = is_v6 ? "[" + address.host + "]" : address.host;
  // It listens at every address: this machine's is one.
  if (host == "*" || host == "0.0.0.0") host = "127.0.0.1";
  if (host == "[::]") host = "[::1]";
  return scheme + host + ":" + std::to_string(address.port) + path;
}

class HeaderList {
 public:
  ~HeaderList() { curl_slist_free_all(list_); }
  HeaderList() = default;
  HeaderList(const HeaderList&) = delete;
  HeaderList& operator=(const HeaderList&) = delete;

  void add(const std::string& line) { list_ = curl_slist_append(list_, line.c_str()); }
  curl_slist* get() const { return list_; }

 private:
  curl_slist* list_ = nullptr;
};

}  // namespace

AdminClient::AdminClient(AdminTarget target, Duration timeout)
    : target_(std::move(target)), easy_(curl_easy_init()) {
  if (easy_ == nullptr) return;
  const auto timeout_ms = std::chrono::duration_cast<std::chrono::milliseconds>(timeout).count();
  curl_easy_setopt(easy_, CURLOPT_TIMEOUT_MS, static_cast<long>(timeout_ms));
  curl_easy_setopt(easy_, CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(easy_, CURLOPT_PROTOCOLS_STR, "http,https");
  curl_easy_setopt(easy_, CURLOPT_PROXY, "");
  curl_easy_setopt(easy_, CURLOPT_NETRC, static_cast<long>(CURL_NETRC_IGNORED));
  curl_easy_setopt(easy_, CURLOPT_WRITEFUNCTION, &take_body);
  if (target_.address.kind == AdminAddress::Kind::unix_socket) {
    curl_easy_setopt(easy_, CURLOPT_UNIX_SOCKET_PATH, target_.address.path.c_str());
  }
  if (!target_.cert_file.empty()) {
    // This very certificate is expected; its names say nothing about the address that is used.
    curl_easy_setopt(easy_, CURLOPT_CAINFO, target_.cert_file.c_str());
    curl_easy_setopt(easy_, CURLOPT_CAPATH, nullptr);
    curl_easy_setopt(easy_, CURLOPT_SSL_VERIFYHOST, 0L);
  }
}

AdminClient::~AdminClient() {
  curl_easy_cleanup(easy_);
}

Result<AdminReply> AdminClient::get(const std::string& path) {
  return ask(path, nullptr);
}

Result<AdminReply> AdminClient::post(const std::string& path, const std::string& json) {
  return ask(path, &json);
}

Result<AdminReply> AdminClient::ask(const std::string& path, const std::string* json) {
  if (easy_ == nullptr) return Error{"there is no memory for a connection"};
  AdminReply reply;
  HeaderList headers;
  if (!target_.token.empty()) headers.add("Authorization: Bearer " + target_.token);
  if (!target_.endpoint.empty()) headers.add("Outrider-Endpoint: " + target_.endpoint);
  if (json != nullptr) {
    headers.add("Content-Type: application/json");
    headers.add("Expect:");
    curl_easy_setopt(easy_, CURLOPT_POSTFIELDSIZE, static_cast<long>(json->size()));
    curl_easy_setopt(easy_, CURLOPT_COPYPOSTFIELDS, json->c_str());
  } else {
    curl_easy_setopt(easy_, CURLOPT_HTTPGET, 1L);
  }
  curl_easy_setopt(easy_, CURLOPT_HTTPHEADER, headers.get());
  curl_easy_setopt(easy_, CURLOPT_URL, url_of(target_, path).c_str());
  curl_easy_setopt(easy_, CURLOPT_WRITEDATA, &reply.body);
  const CURLcode code = curl_easy_perform(easy_);
  curl_easy_setopt(easy_, CURLOPT_HTTPHEADER, nullptr);
  if (code != CURLE_OK) return failure(code);
  curl_easy_getinfo(easy_, CURLINFO_RESPONSE_CODE, &reply.status);
  return reply;
}

Error AdminClient::failure(int code) const {
  const std::string at = " at " + printable(target_.address.text(), 200);
  long error = 0;
  curl_easy_getinfo(easy_, CURLINFO_OS_ERRNO, &error);
  switch (code) {
    case CURLE_COULDNT_CONNECT: {
      const std::string because = error == 0
                                      ? "it cannot be reached"
                                      : std::generic_category().message(static_cast<int>(error));
      if (error == EACCES || error == EPERM) {
        return {"the sidecar" + at + " does not let this user in: " + because +
                "; use `sudo`, or join the group of [admin] socket_group"};
      }
      return {"no sidecar answers" + at + " (" + because + "); " + start_hint};
    }
    case CURLE_OPERATION_TIMEDOUT:
      return {"the sidecar" + at + " does not answer in time; it hangs, or the machine is loaded"};
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CACERT_BADFILE:
      return {"the certificate" + at + " is not the one in " + printable(target_.cert_file, 200)};
    case CURLE_WRITE_ERROR:
      return {"the answer" + at + " is too long for a sidecar's"};
    default:
      return {"the sidecar" + at +
              " gave no answer: " + curl_easy_strerror(static_cast<CURLcode>(code))};
  }
}

std::string escape_url_part(const std::string& word) {
  if (word.empty()) return {};
  const Handle<char, curl_free> escaped(
      curl_easy_escape(nullptr, word.data(), static_cast<int>(word.size())));
  return escaped ? escaped.get() : word;
}

}  // namespace outrider::sidecar
