#include "sidecar/admin/http_places.hpp"

#include <algorithm>
#include <tuple>

namespace outrider::sidecar {

HttpPlaces::Place* HttpPlaces::open(int fd, MonoTime now) {
  const std::size_t kept_free = std::max<std::size_t>(1, places_max_ / free_share);
  if (places_.size() - ended_ >= places_max_ - kept_free) make_room();
  Place& place = places_.emplace_back();
  place.fd = fd;
  place.since = now;
  place.deadline = now + request_time_max;
  return &place;
}

void HttpPlaces::begin_answer(Place& place, std::size_t bytes, MonoTime now) {
  place.is_answering = true;
  place.since = now;
  place.deadline = now + answer_time_max;
  place.unread_bytes = bytes;
  unread_bytes_ += bytes;
  std::size_t left = unread_bytes_;
  for (Place& other : places_) {
    if (&other != &place && other.is_ended) left -= other.unread_bytes;
  }
  // The places are in the order of their connections, which is good enough for their answers.
  for (Place& other : places_) {
    if (left <= unread_bytes_max) return;
    if (&other == &place || other.is_ended || other.unread_bytes == 0) continue;
    left -= other.unread_bytes;
    end(other);
  }
}

void HttpPlaces::end_answer(Place& place, MonoTime now) {
  unread_bytes_ -= place.unread_bytes;
  place.unread_bytes = 0;
  place.is_answering = false;
  place.since = now;
  if (!place.is_ended) place.deadline = now + request_time_max;
}

void HttpPlaces::close(Place& place) {
  unread_bytes_ -= place.unread_bytes;
  if (place.is_ended) --ended_;
  places_.remove_if([&](const Place& other) { return &other == &place; });
}

void HttpPlaces::make_room() {
  if (Place* const idle = longest_idle(); idle != nullptr) end(*idle);
}

void HttpPlaces::end_late(MonoTime now) {
  for (Place& place : places_) {
    if (now >= place.deadline) end(place);
  }
}

MonoTime HttpPlaces::next_deadline() const {
  MonoTime next = never;
  for (const Place& place : places_) next = std::min(next, place.deadline);
  return next;
}

void HttpPlaces::end(Place& place) {
  if (place.is_ended) return;
  place.is_ended = true;
  place.deadline = never;
  ++ended_;
  end_(place.fd);
}

HttpPlaces::Place* HttpPlaces::longest_idle() {
  Place* found = nullptr;
  const auto key = [](const Place& place) { return std::tuple(place.is_answering, place.since); };
  for (Place& place : places_) {
    if (place.is_ended) continue;
    if (found == nullptr || key(place) < key(*found)) found = &place;
  }
  return found;
}

}  // namespace outrider::sidecar
