// The raw ceiling of an idle sidecar's memory: a process that does nothing but load libcurl and
// libzmq, make them ready, and listen on one socket. Prints its RSS as a JSON line.
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
  double kib = 0;
  while (smaps >> word && word != "Rss:") {
  }
  smaps >> kib;
  outrider::bench::print_figure("idle_floor_rss", kib / 1024, "MiB");
  zmq_close(socket);
  zmq_ctx_term(context);
  curl_multi_cleanup(multi);
  return 0;
}
