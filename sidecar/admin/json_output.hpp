// JsonOutput: JSON text, member by member.
//
// Used for the answers of the admin interface; it wraps what RapidJSON has for it. Text is made
// printable first (base/text.hpp), for some of it is by strangers. Names are those of snapshot.hpp,
// those of durations end in `_s`: seconds. Thread: one object, one thread.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>

#include <rapidjson/stringbuffer.h>
#include <rapidjson/writer.h>

#include "sidecar/base/clock.hpp"

namespace outrider::sidecar {

class JsonOutput {
 public:
  static constexpr std::size_t text_bytes_max = 4096;

  // Values --------------------------------------------------------------------------------------

  void value(bool value) { writer_.Bool(value); }
  void value(double value) { writer_.Double(value); }
  void value(std::uint64_t value) { writer_.Uint64(value); }
  /// Empty: null.
  void value(std::string_view text);
  /// In seconds.
  void value(Duration duration);
  /// RFC 3339; null at the epoch, which is no time that anything happened.
  void value(WallTime time);
  template <typename T>
  void value(const std::optional<T>& optional) {
    optional ? value(*optional) : static_cast<void>(writer_.Null());
  }
  /// A whole JSON object, as it is.
  void raw_object(std::string_view json) {
    writer_.RawValue(json.data(), json.size(), rapidjson::kObjectType);
  }
  void null() { writer_.Null(); }

  // Members -------------------------------------------------------------------------------------

  template <typename T>
  void member(std::string_view name, const T& it) {
    key(name);
    if constexpr (std::is_convertible_v<T, std::string_view>) {
      value(std::string_view(it));
    } else {
      value(it);
    }
  }
  void key(std::string_view name);
  void object(const std::function<void()>& members) {
    writer_.StartObject();
    members();
    writer_.EndObject();
  }
  void object(std::string_view name, const std::function<void()>& members) {
    key(name);
    object(members);
  }
  void array(std::string_view name, const std::function<void()>& elements) {
    key(name);
    writer_.StartArray();
    elements();
    writer_.EndArray();
  }

  std::string take() const { return {text_.GetString(), text_.GetSize()}; }

 private:
  rapidjson::StringBuffer text_;
  rapidjson::Writer<rapidjson::StringBuffer> writer_{text_};
};

}  // namespace outrider::sidecar
