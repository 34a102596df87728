#include "support/fault_script.hpp"

#include <algorithm>

namespace outrider::test {
namespace {

using namespace std::chrono_literals;

constexpr std::size_t huge_bytes = 16UL << 20U;
constexpr auto crawl = 50ms;
const std::string continue_text = "HTTP/1.1 100 Continue\r\n\r\n";
const std::string early_hints =
    "HTTP/1.1 103 Early Hints\r\nLink: </style.css>; rel=preload\r\n\r\n";
const std::string processing = "HTTP/1.1 102 Processing\r\n\r\n";
const std::string chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n";

std::string with_length(std::size_t bytes, const std::string& body) {
  return "HTTP/1.1 200 OK\r\nContent-Length: " + std::to_string(bytes) + "\r\n\r\n" + body;
}

std::vector<NamedScript> make_named_scripts() {
  return {
      {"ok", "200 at once", answer()},
      {"reset_in_request_head",
       "RST in the middle of the request's head",
       {read_bytes(20), reset_connection()}},
      {"reset_in_request_body",
       "RST in the middle of the request's body",
       {read_body(1), reset_connection()}},
      {"reset_before_answer", "RST when the request is read", {read_all(), reset_connection()}},
      {"close_before_answer", "FIN when the request is read", {read_all(), close_connection()}},
      {"reset_in_answer_head", "RST in the middle of the answer's status line",
       answer_raw("HTTP/1.1 2", reset_connection())},
      {"reset_in_answer_body",
       "200, then RST in the middle of the answer's body",
       {read_all(), send_text(with_length(1000, "part")), wait_for(50ms), reset_connection()}},
      {"slow_head",
       "the answer's head at a crawl",
       {read_all(), send_slowly(answer_text(200), crawl)}},
      {"slow_body",
       "200 at once, the answer's body at a crawl",
       {read_all(), send_text(with_length(1000, "")), send_slowly(std::string(1000, 'x'), crawl)}},
      {"never_answers", "the request is read and never answered", {read_all(), hang()}},
      {"huge_body",
       "200 with 16 MiB",
       {read_all(), send_text(with_length(huge_bytes, "")), send_filler(huge_bytes)}},
      {"huge_head",
       "200 with a header of 16 MiB",
       {read_all(), send_text("HTTP/1.1 200 OK\r\nX-Long: "), send_filler(huge_bytes), hang()}},
      {"garbage", "an answer that is not HTTP",
       answer_raw(std::string("\x00\xff\x16garbage\r\n\r\n", 14), close_connection())},
      {"length_too_long", "200, fewer bytes than Content-Length, FIN",
       answer_raw(with_length(1000, "short"), close_connection())},
      {"length_too_short", "200, more bytes than Content-Length",
       answer_raw(with_length(2, "more than two bytes"))},
      {"continue", "100 Continue, then 200", answer_raw(continue_text + answer_text(200))},
      {"early_hints", "several 1xx, then 200",
       answer_raw(processing + early_hints + early_hints + answer_text(200))},
      {"only_continue", "100 Continue, then nothing", answer_raw(continue_text, hang())},
      {"trailers", "200, chunked, with trailers",
       answer_raw(chunked + "Trailer: X-Sum\r\n\r\n3\r\nok\n\r\n0\r\nX-Sum: 1\r\n\r\n")},
      {"broken_chunks", "200, chunked, with a chunk that is none",
       answer_raw(chunked + "\r\nxyz\r\nok\r\n", close_connection())},
      {"keep_alive_race", "200, then FIN without a word of it",
       answer_raw(answer_text(200), close_connection())},
      {"connection_close", "200 with Connection: close",
       answer_raw(answer_text(200, "Connection: close\r\n"), close_connection())},
  };
}

}  // namespace

const std::vector<NamedScript>& named_scripts() {
  static const std::vector<NamedScript> scripts = make_named_scripts();
  return scripts;
}

const NamedScript* find_script(std::string_view name) {
  const auto found = std::ranges::find(named_scripts(), name, &NamedScript::name);
  return found == named_scripts().end() ? nullptr : &*found;
}

}  // namespace outrider::test
