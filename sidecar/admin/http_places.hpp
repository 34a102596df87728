// HttpPlaces: the connections of the HTTP server, how long each may take, and which of them makes
// room for another one.
//
// A client has `request_time_max` from its connection, or from its last answer, until its request
// has come whole, however slowly it sends; then `answer_time_max` to read the answer. Some places
// are kept free for new connections: whoever has been idle for longest ends before they are taken.
// Answers that nobody reads hold at most unread_bytes_max together, or a single one holds more.
//
// Used by HttpServer. Thread: the server's. Owns: no descriptor; `end` shuts a connection down, and
// close() is called when it is gone.
#pragma once

#include <cstddef>
#include <functional>
#include <list>

#include "sidecar/base/clock.hpp"

namespace outrider::sidecar {

class HttpPlaces {
 public:
  static constexpr Duration request_time_max = std::chrono::seconds(5);
  static constexpr Duration answer_time_max = std::chrono::seconds(10);
  static constexpr std::size_t unread_bytes_max = 2U << 20U;
  /// One place in this many is kept for new connections.
  static constexpr std::size_t free_share = 8;

  struct Place {
    int fd = -1;
    MonoTime deadline{};
    MonoTime since{};              ///< of what it does now
    std::size_t unread_bytes = 0;  ///< of its answer
    bool is_answering = false;
    bool is_ended = false;  ///< shut down, and soon gone
  };

  /// `places_max`: at least 2.
  HttpPlaces(std::size_t places_max, std::function<void(int fd)> end)
      : places_max_(places_max), end_(std::move(end)) {}

  /// A new connection; ends others if it takes one of the free places.
  Place* open(int fd, MonoTime now);
  void begin_answer(Place& place, std::size_t bytes, MonoTime now);
  void end_answer(Place& place, MonoTime now);
  void close(Place& place);

  bool is_full() const { return places_.size() >= places_max_; }
  bool is_empty() const { return places_.empty(); }
  /// Ends the connection that has been idle for longest.
  void make_room();
  void end_late(MonoTime now);
  MonoTime next_deadline() const;

 private:
  void end(Place& place);
  Place* longest_idle();

  std::size_t places_max_;
  std::function<void(int fd)> end_;
  std::list<Place> places_;
  std::size_t ended_ = 0;
  std::size_t unread_bytes_ = 0;
};

}  // namespace outrider::sidecar
