// EventTemplate: a url, method or header value that is filled in for each event.
//
// Used by the configuration, which checks templates, and by transports whose requests carry one
// event each. A field of the event is written between braces:
//     {topic} {id} {key} {time} {host} {trace} {priority}     the event's attributes
//     {data}  {data.user.id}  {data.items.0.sku}              its data, or a field of it
//     {data.user.id|guest}                                    with a text for events without it
// `{{` and `}}` are braces. Texts, numbers and booleans can be filled in. A field that is missing,
// empty (key, host, trace) or nil takes the text after `|`; without one, and for any other type of
// value, there is no text for this event. The data is read as the application sent it: the rules
// that drop and rename fields apply only to bodies. A redacted field is "[redacted]" here as well.
//
// Text from an event is escaped for its place, and so is the text after `|`:
//   url     all but A-Z a-z 0-9 - . _ ~ is percent-encoded, and no event can make a segment of the
//           path empty, `.` or `..`, also after a slash in the event's text, encoded or not, which
//           servers and clients would resolve to another path. Fields may appear only after the
//           authority, never in scheme, host or port. The template may also be only the end of a
//           url, starting with the slash of its path.
//   header  visible ASCII and blanks stay as they are, all else and `%` is percent-encoded, so that
//           decoding gives what was sent and no event can begin another header.
//   method  not escaped; the whole must be 1 to 32 capital letters.
// Characters in a url's fixed text that RFC 3986 allows nowhere in a path or query are
// percent-encoded too.
//
// Thread: immutable after parse. Limits: template and text are at most template_bytes_max long.
// Fails with: an Error that quotes the template, or names the field that has no text; it shows
// nothing that an event holds.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "sidecar/base/field_path.hpp"
#include "sidecar/base/record.hpp"
#include "sidecar/base/result.hpp"

namespace outrider::sidecar {

inline constexpr std::size_t template_bytes_max = 8192;
inline constexpr std::size_t method_bytes_max = 32;

class EventTemplate {
 public:
  enum class Place : std::uint8_t { url, method, header };

  /// `shown` replaces a text that holds secrets in errors.
  static Result<EventTemplate> parse(std::string_view text, Place place,
                                     std::optional<std::string_view> shown = std::nullopt);

  /// Fields that these rules redact are filled in as redacted_text from now on. Returns their
  /// names.
  std::vector<std::string> redact(const FieldRules& rules);

  /// Nothing to fill in: the text is the same for each event.
  bool is_constant() const { return fields_.empty(); }

  /// The constant parts: before, between and after the fields. Some may be empty.
  std::vector<std::string> fixed_texts() const;

  /// Appends the text with the event's fields filled in, escaped for its place. `out` stays as it
  /// was if that fails.
  Status render(const RecordView& record, std::string& out) const;

 private:
  enum class Source : std::uint8_t { topic, id, key, time, host, trace, priority, data };

  /// One `{...}` and the fixed text after it.
  struct Field {
    std::string name;  ///< as written, for errors
    Source source = Source::data;
    FieldPath path;  ///< below data
    bool is_redacted = false;
    std::optional<std::string> fallback;
    std::string text_behind;
  };

  explicit EventTemplate(Place place) : place_(place) {}
  static Result<Field> parse_field(std::string_view text);
  void encode_fixed_text();
  Status parse_parts(std::string_view text);
  std::string& last_text() { return fields_.empty() ? text_before_ : fields_.back().text_behind; }
  Status check() const;
  Status check_url() const;
  std::string with_each_field_as(std::string_view text) const;

  Status append_field(const Field& field, const RecordView& record, std::string& out) const;
  void append_escaped(std::string_view text, std::string& out) const;

  Place place_;
  std::string text_before_;
  std::vector<Field> fields_;
  std::size_t odd_segments_ = 0;  ///< url: empty, `.` and `..` segments that are fixed text
};

}  // namespace outrider::sidecar
