// The raw ceiling of delivery: what libcurl alone needs to POST ready-made bodies over one kept
// TLS connection. CPU time of this process, an event, the median of several rounds.
//
//     tls_post_bench URL CA_FILE
#include <cstdlib>
#include <string>
#include <vector>

#include <curl/curl.h>

#include "bench/figures.hpp"
#include "bench/reference_frame.hpp"
#include "sidecar/encode/encoder.hpp"

namespace outrider::bench {
namespace {

constexpr std::uint32_t events_a_body = 500;
constexpr int bodies_a_round = 200;
constexpr int rounds = 7;
constexpr long upload_buffer_bytes = 64L * 1024;

std::string json_body() {
  proto::FrameReader reader({.frame_bytes_max = 4U << 20U, .event_bytes_max = 1U << 20U});
  const auto encoder = sidecar::make_encoder({.format = "json"});
  sidecar::Body body;
  encoder->begin(body);
  for (const auto& record : reference_records(reader, reference_frame(events_a_body))) {
    encoder->add(sidecar::read_record(record.data()), body);
  }
  encoder->end(body);
  return body.bytes;
}

void post(CURL* easy) {
  long status = 0;
  const CURLcode code = curl_easy_perform(easy);
  curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &status);
  if (code == CURLE_OK && status == 200) return;
  std::fprintf(stderr, "tls_post_bench: %s, status %ld\n", curl_easy_strerror(code), status);
  std::exit(1);
}

void run(const char* url, const char* ca_file) {
  const std::string body = json_body();
  CURL* easy = curl_easy_init();
  curl_slist* headers = curl_slist_append(nullptr, "Content-Type: application/json");
  headers = curl_slist_append(headers, "Expect:");
  curl_easy_setopt(easy, CURLOPT_URL, url);
  curl_easy_setopt(easy, CURLOPT_CAINFO, ca_file);
  curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, CURL_HTTP_VERSION_1_1);
  curl_easy_setopt(easy, CURLOPT_HTTPHEADER, headers);
  curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(easy, CURLOPT_UPLOAD_BUFFERSIZE, upload_buffer_bytes);
  curl_easy_setopt(easy, CURLOPT_POSTFIELDS, body.data());
  curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(body.size()));
  post(easy);

  std::vector<double> samples;
  for (int round = 0; round < rounds; ++round) {
    const double begin_ns = cpu_ns();
    for (int i = 0; i < bodies_a_round; ++i) post(easy);
    samples.push_back((cpu_ns() - begin_ns) / (bodies_a_round * events_a_body));
  }
  print_figure("tls_post", quantile(samples, 0.5), "ns");
  curl_slist_free_all(headers);
  curl_easy_cleanup(easy);
}

}  // namespace
}  // namespace outrider::bench

int main(int argc, char** argv) {
  if (argc != 3) {
    std::fprintf(stderr, "usage: tls_post_bench URL CA_FILE\n");
    return 2;
  }
  outrider::bench::run(argv[1], argv[2]);
  return 0;
}
