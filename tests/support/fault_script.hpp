// What a FaultReceiver does with one connection or one request, as a list of steps.
//
// Used by tests that script a receiver's misbehaviour, and by the fault_receiver program, which
// knows the whole scripts below by name. Plain values; the functions are pure.
//
// A script of a request that ends before the request was read reads the rest of it and lets the
// connection wait for the next request.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace outrider::test {

struct Arrival;
struct Step;
using Script = std::vector<Step>;

struct Step {
  enum class Kind : std::uint8_t {
    read_bytes,  ///< waits until `bytes` of the request have come
    read_body,   ///< waits until the head and `bytes` of the body have come
    read_all,    ///< waits until the whole request has come
    wait,        ///< waits for `time`
    work,        ///< waits for one of the receiver's `capacity` places and takes it for `latency`
    send,        ///< sends `text` and then `bytes` of filler; with a `time`, one byte each time
    speak,       ///< sends `text`, which is no answer to the request; counted when it is out
    choose,      ///< goes on with the script that `choose` returns; once the request is read
    close,       ///< closes the connection when what was sent is out
    reset,       ///< breaks the connection at once, with a RST
    hang,        ///< does nothing until the other side closes
  };
  using Choose = std::function<Script(const Arrival&)>;

  Kind kind = Kind::hang;
  std::string text{};
  std::size_t bytes = 0;
  std::chrono::milliseconds time{};
  Choose choose{};
  bool is_endless = false;  ///< send: `text` again and again, until the other side closes
};

inline Step read_bytes(std::size_t bytes) {
  return {.kind = Step::Kind::read_bytes, .bytes = bytes};
}
inline Step read_body(std::size_t bytes) {
  return {.kind = Step::Kind::read_body, .bytes = bytes};
}
inline Step read_all() {
  return {.kind = Step::Kind::read_all};
}
inline Step wait_for(std::chrono::milliseconds time) {
  return {.kind = Step::Kind::wait, .time = time};
}
inline Step work() {
  return {.kind = Step::Kind::work};
}
inline Step send_text(std::string text) {
  return {.kind = Step::Kind::send, .text = std::move(text)};
}
/// Out of turn. The request before it keeps the status that it was answered with.
inline Step speak(std::string text) {
  return {.kind = Step::Kind::speak, .text = std::move(text)};
}
inline Step send_slowly(std::string text, std::chrono::milliseconds each_byte) {
  return {.kind = Step::Kind::send, .text = std::move(text), .time = each_byte};
}
inline Step send_filler(std::size_t bytes) {
  return {.kind = Step::Kind::send, .bytes = bytes};
}
inline Step send_endlessly(const std::string& text) {
  Step step{.kind = Step::Kind::send, .is_endless = true};
  while (step.text.size() < (64U << 10U)) step.text += text;
  return step;
}
inline Step choose(Step::Choose function) {
  return {.kind = Step::Kind::choose, .choose = std::move(function)};
}
inline Step close_connection() {
  return {.kind = Step::Kind::close};
}
inline Step reset_connection() {
  return {.kind = Step::Kind::reset};
}
inline Step hang() {
  return {.kind = Step::Kind::hang};
}

/// An answer as it goes over the wire. `headers` are whole lines, each with its "\r\n".
inline std::string answer_text(int status, const std::string& headers = {},
                               const std::string& body = "ok\n") {
  return "HTTP/1.1 " + std::to_string(status) + " Scripted\r\n" + headers +
         "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body;
}

/// The usual: reads the request, works on it and answers.
inline Script answer(int status = 200, const std::string& headers = {},
                     const std::string& body = "ok\n") {
  return {read_all(), work(), send_text(answer_text(status, headers, body))};
}

/// Reads the request and sends these very bytes.
inline Script answer_raw(std::string text) {
  return {read_all(), send_text(std::move(text))};
}

/// Reads the request, sends these very bytes and does `last`.
inline Script answer_raw(std::string text, Step last) {
  return {read_all(), send_text(std::move(text)), std::move(last)};
}

struct NamedScript {
  std::string name;
  std::string meaning;
  Script script;
};

/// The faults that need no more than a script, for the command line and for tests.
const std::vector<NamedScript>& named_scripts();

/// Null if there is none of that name.
const NamedScript* find_script(std::string_view name);

}  // namespace outrider::test
