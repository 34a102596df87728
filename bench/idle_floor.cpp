// The raw ceiling of an idle sidecar's memory: a process that does nothing but load libcurl and
// libzmq, make them ready, and listen on one socket. Prints its RSS, and what of it belongs to the
// process alone, as JSON lines.
//
//     idle_floor ENDPOINT
#include <cstdio>
#include <fstream>
#include <string>

#include <curl/curl.h>
#include <zmq.h>

#include "bench/figures.hpp"

int main(int argc, char** argv) {
  if (argc != 2) {
    std::fprintf(stderr, "usage: idle_floor ENDPOINT\n");
    return 2;
  }
  curl_global_init(CURL_GLOBAL_DEFAULT);
  CURLM* multi = curl_multi_init();
  void* context = zmq_ctx_new();
  void* socket = zmq_socket(context, ZMQ_PULL);
  if (multi == nullptr || zmq_bind(socket, argv[1]) != 0) return 1;

  std::ifstream smaps("/proc/self/smaps_rollup");
  std::string word;
  while (smaps >> word) {
    if (word != "Rss:" && word != "Anonymous:") continue;
    double kib = 0;
    smaps >> kib;
    outrider::bench::print_figure(word == "Rss:" ? "idle_floor_rss" : "idle_floor_own", kib / 1024,
                                  "MiB");
  }
  zmq_close(socket);
  zmq_ctx_term(context);
  curl_multi_cleanup(multi);
  return 0;
}
