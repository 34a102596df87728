#include "sidecar/base/event_template.hpp"

#include <algorithm>
#include <random>

#include <gtest/gtest.h>

#include "support/records.hpp"

namespace outrider::sidecar {
namespace {

using Place = EventTemplate::Place;
using test::make_record;
using test::packed;
using test::RecordFields;

std::string user_data() {
  return packed([](auto& packer) {
    packer.pack_map(7);
    packer.pack("user");
    packer.pack_map(2);
    packer.pack("id");
    packer.pack(4711);
    packer.pack("name");
    packer.pack("Jürgen M/ü?&#%");
    packer.pack("ratio");
    packer.pack(0.5);
    packer.pack("ok");
    packer.pack(true);
    packer.pack("method");
    packer.pack("DELETE");
    packer.pack("none");
    packer.pack_nil();
    packer.pack("dots");
    packer.pack("..");
    packer.pack("empty");
    packer.pack("");
  });
}

/// What the template makes of the event, or the error.
std::string rendered(std::string_view text, Place place, const RecordFields& fields) {
  const auto parsed = EventTemplate::parse(text, place);
  if (!parsed.ok()) return "parse: " + parsed.error().message;
  const std::vector<std::uint8_t> record = make_record(fields);
  std::string out = "kept ";
  const Status status = parsed.value().render(read_record(record.data()), out);
  EXPECT_EQ(out.substr(0, 5), "kept ");
  if (status.ok()) return out.substr(5);
  EXPECT_EQ(out, "kept ");
  return "error: " + status.error().message;
}

std::string of_user(std::string_view text, Place place) {
  const std::string data = user_data();
  return rendered(text, place, {.data = data, .key = "k 1"});
}

bool parses(std::string_view text, Place place) {
  return EventTemplate::parse(text, place).ok();
}

TEST(EventTemplate, WithoutFieldsItIsConstant) {
  const auto parsed = EventTemplate::parse("https://x.example/a/../{{b}}/", Place::url);
  ASSERT_TRUE(parsed.ok());
  EXPECT_TRUE(parsed.value().is_constant());
  EXPECT_EQ(of_user("https://x.example/a/../{{b}}/", Place::url),
            "https://x.example/a/../%7Bb%7D/");
  EXPECT_FALSE(EventTemplate::parse("{topic}", Place::header).value().is_constant());
}

TEST(EventTemplate, FillsInWhatTheEventCameWith) {
  EXPECT_EQ(rendered("{topic} {id} {key} {time} {host} {trace} {priority}", Place::header,
                     {.key = "k", .trace = "t", .host = "h"}),
            "orders.paid 00010203-0405-0607-0809-0a0b0c0d0e0f k 2026-01-31T12:00:00.123456789Z h t "
            "normal");
  EXPECT_EQ(rendered("{id}", Place::header, {.id_text = "e-1"}), "e-1");
}

TEST(EventTemplate, FillsInFieldsOfTheData) {
  EXPECT_EQ(of_user("{data.user.id} {data.ratio} {data.ok} {data.method}", Place::header),
            "4711 0.5 true DELETE");
  EXPECT_EQ(rendered("{data}", Place::header, {.data = "\xd0\x80"}), "-128");
  EXPECT_EQ(rendered("{data.0.1}", Place::header, {.data = "\x91\x92\x01\x02"}), "2");
}

TEST(EventTemplate, AFallbackStandsForWhatIsMissingOrNil) {
  EXPECT_EQ(of_user("{data.user.mail|no body}/{data.none|nil}/{host|}", Place::header),
            "no body/nil/");
  EXPECT_EQ(of_user("https://x.example/?m={data.mail|a b}", Place::url),
            "https://x.example/?m=a%20b");
  EXPECT_EQ(of_user("{data.user.id|0}", Place::header), "4711");
}

TEST(EventTemplate, AnEventWithoutTheFieldHasNoText) {
  EXPECT_EQ(of_user("a{data.mail}b", Place::header), "error: {data.mail} is missing in this event");
  EXPECT_EQ(of_user("{data.none}", Place::header), "error: {data.none} is missing in this event");
  EXPECT_EQ(of_user("{host}", Place::header), "error: {host} is missing in this event");
  EXPECT_EQ(of_user("{data.user|x}", Place::header),
            "error: {data.user} is not a text, number or boolean in this event");
  for (const std::string& data :
       {test::bytes_of({0x90}), test::bytes_of({0xc4, 0x01, 'x'}), test::bytes_of({0xd4, 0x01, 0}),
        test::bytes_of({0xca, 0x7f, 0xc0, 0, 0}),
        test::bytes_of({0xcb, 0x7f, 0xf0, 0, 0, 0, 0, 0, 0})}) {
    EXPECT_EQ(rendered("{data}", Place::header, {.data = data}),
              "error: {data} is not a text, number or boolean in this event");
  }
}

TEST(EventTemplate, InAUrlAllButUnreservedCharactersIsEncoded) {
  EXPECT_EQ(of_user("https://x.example/u/{data.user.name}?k={key}#{topic}", Place::url),
            "https://x.example/u/J%C3%BCrgen%20M%2F%C3%BC%3F%26%23%25?k=k%201#orders.paid");
}

TEST(EventTemplate, NoEventMovesTheUrlToAnotherPath) {
  for (const char* text :
       {"https://x.example/a/{data.dots}", "https://x.example/a/{data.dots}/b",
        "https://x.example/a/{data.dots};v=1/b", "https://x.example/a/{data.empty}",
        "https://x.example/a/{data.empty}/b?c", "https://x.example/a/{data.empty}.",
        "https://x.example/a/.{data.none|.}/b", "https://x.example/a/%2e{data.none|.}?b",
        "https://x.example/a/{data.none|../../b}", "https://x.example/a/{data.none|b/../../c}",
        "https://x.example/a/{data.none|..\\b}", "https://x.example/a/{data.none|b//c}"}) {
    EXPECT_EQ(of_user(text, Place::url).substr(0, 7), "error: ") << text;
  }
  EXPECT_EQ(of_user("https://x.example/./{key}/", Place::url), "https://x.example/./k%201/");
  EXPECT_EQ(of_user("https://x.example/a.{data.dots}", Place::url), "https://x.example/a...");
  EXPECT_EQ(of_user("https://x.example?a={data.dots}/{data.empty}", Place::url),
            "https://x.example?a=../");
}

TEST(EventTemplate, NoEventChoosesTheHost) {
  for (const char* text :
       {"{topic}", "{topic}://x.example/", "https://{topic}/", "https://{topic}.x.example/",
        "https://x.example{topic}/", "https://x.example:{key}/", "https:/{topic}//x.example/"}) {
    EXPECT_FALSE(parses(text, Place::url)) << text;
  }
  EXPECT_TRUE(parses("https://x.example:8080/{topic}", Place::url));
}

TEST(EventTemplate, NoEventBeginsAnotherHeader) {
  const std::string data =
      packed([](auto& packer) { packer.pack(std::string("a\r\nSet-Cookie: b\0\t\x7f 100%", 24)); });
  EXPECT_EQ(rendered("x {data} y", Place::header, {.data = data}),
            "x a%0D%0ASet-Cookie: b%00%09%7F 100%25 y");
  EXPECT_FALSE(parses("a\r\nb", Place::header));
  EXPECT_FALSE(parses("a\nb {topic}", Place::header));
}

TEST(EventTemplate, AMethodIsCapitalLetters) {
  EXPECT_EQ(of_user("{data.method}", Place::method), "DELETE");
  EXPECT_EQ(of_user("POST", Place::method), "POST");
  EXPECT_EQ(of_user("{data.method|POST}{data.method}", Place::method), "DELETEDELETE");
  EXPECT_EQ(of_user("{key}", Place::method),
            "error: the method with {key} filled in is not 1 to 32 capital letters");
  EXPECT_EQ(of_user("{data.empty}", Place::method),
            "error: the method with {data.empty} filled in is not 1 to 32 capital letters");
  for (const char* text : {"", "post", "A B", "A-{key}"}) {
    EXPECT_FALSE(parses(text, Place::method)) << text;
  }
}

TEST(EventTemplate, WhatIsNoTemplateIsExplained) {
  const auto error = [](std::string_view text) {
    const auto parsed = EventTemplate::parse(text, Place::header);
    return parsed.ok() ? "" : parsed.error().message;
  };
  EXPECT_EQ(error("a{topic"),
            "template 'a{topic': has an unmatched brace; write a literal brace as {{ or }}");
  EXPECT_EQ(error("{user}"),
            "template '{user}': there is no field {user}; the fields are topic, id, key, time, "
            "host, trace, priority, data and data.KEY");
  for (const char* text : {"}", "a}b", "{}", "{topic{id}}", "{data.*}", "{data.}", "{ topic }"}) {
    EXPECT_NE(error(text), "") << text;
  }
}

TEST(EventTemplate, TextsAreBounded) {
  const std::string long_text(template_bytes_max + 1, 'a');
  EXPECT_FALSE(parses(long_text, Place::header));
  const std::string data = packed([&](auto& packer) { packer.pack(long_text); });
  EXPECT_EQ(rendered("{data}", Place::header, {.data = data}).substr(0, 7), "error: ");
  const std::string longest = packed([&](auto& packer) { packer.pack(long_text.substr(1)); });
  EXPECT_EQ(rendered("{data}", Place::header, {.data = longest}), long_text.substr(1));
  EXPECT_EQ(rendered("{data}.", Place::header, {.data = longest}).substr(0, 7), "error: ");
}

/// Any bytes in any field: what comes out is safe for its place, and decodes to what went in.
TEST(EventTemplate, RandomTextsStayInTheirPlace) {
  using namespace std::string_view_literals;
  std::mt19937_64 random(20'260'131);
  const auto in_header = EventTemplate::parse("a {data} b", Place::header).value();
  const auto in_url = EventTemplate::parse("https://x.example/a/{data}/b", Place::url).value();
  for (int round = 0; round < 5000; ++round) {
    std::string text;
    for (std::uint64_t left = random() % 8; left > 0; --left) {
      constexpr std::string_view hard = "../%\r\n:?#;\\ \"\x00"sv;
      text.push_back(random() % 2 == 0 ? hard[random() % hard.size()]
                                       : static_cast<char>(random()));
    }
    const std::string data = packed([&](auto& packer) { packer.pack(text); });
    const std::vector<std::uint8_t> record = make_record({.data = data});
    std::string header;
    ASSERT_TRUE(in_header.render(read_record(record.data()), header).ok());
    for (const char c : header) ASSERT_TRUE(c >= 0x20 && c <= 0x7e);
    std::string url;
    if (!in_url.render(read_record(record.data()), url).ok()) {
      // Only for a segment that is none: the text's own, between slashes of either kind.
      std::string segments = text;
      std::ranges::replace(segments, '\\', '/');
      bool is_odd = false;
      for (std::size_t begin = 0; begin <= segments.size();) {
        const std::size_t end = std::min(segments.find('/', begin), segments.size());
        std::string segment = segments.substr(begin, end - begin);
        segment = segment.substr(0, segment.find(';'));
        is_odd = is_odd || segment.empty() || segment == "." || segment == "..";
        begin = end + 1;
      }
      ASSERT_TRUE(is_odd) << text;
      continue;
    }
    ASSERT_TRUE(url.starts_with("https://x.example/a/") && url.ends_with("/b"));
    const std::string inside = url.substr(20, url.size() - 22);
    ASSERT_EQ(inside.find_first_not_of("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
                                       "0123456789-._~%"),
              std::string::npos);
    std::string decoded;
    for (std::size_t i = 0; i < inside.size(); ++i) {
      const bool is_encoded = inside[i] == '%';
      decoded.push_back(is_encoded
                            ? static_cast<char>(std::stoi(inside.substr(i + 1, 2), nullptr, 16))
                            : inside[i]);
      if (is_encoded) i += 2;
    }
    ASSERT_EQ(decoded, text);
  }
}

TEST(EventTemplate, NoErrorShowsWhatAnEventHolds) {
  const std::vector<std::uint8_t> record = make_record({.data = "\x82\xa3pin\xa7s3cret!\xa4"
                                                                "dots\xa2..",
                                                        .key = "s3cret key"});
  for (const auto& [text, place] : {std::pair{"{data.pin}", Place::method},
                                    {"{key}", Place::method},
                                    {"{data.pin}{data}", Place::header},
                                    {"/{data.pin}/{data.dots}/", Place::url},
                                    {"/{data.pin}/{data.nothing}", Place::url}}) {
    std::string out;
    const Status status =
        EventTemplate::parse(text, place).value().render(read_record(record.data()), out);
    ASSERT_FALSE(status.ok()) << text;
    EXPECT_EQ(status.error().message.find("s3cret"), std::string::npos) << status.error().message;
    EXPECT_EQ(out, "");
  }
}

TEST(EventTemplate, WhatIsRedactedIsRedactedHere) {
  FieldRules rules;
  for (const char* path : {"data.card.*", "data.pin", "data.new"}) {
    rules.redact.push_back(parse_field_path(path).value());
  }
  rules.rename.push_back(parse_rename("data.old: new").value());
  const std::vector<std::uint8_t> record = make_record({.data = "\x84\xa3pin\x01\xa3old\x02\xa4"
                                                                "card\x91\x03\xa4"
                                                                "open\x04"});
  EventTemplate made = EventTemplate::parse(
                           "{data.pin} {data.pin.x} {data.old} {data.card.0} {data.card.0.x} "
                           "{data.open} {data.pin2|none} {topic}",
                           Place::header)
                           .value();
  EXPECT_EQ(made.redact(rules), (std::vector<std::string>{"data.pin", "data.pin.x", "data.old",
                                                          "data.card.0", "data.card.0.x"}));
  std::string out;
  ASSERT_TRUE(made.render(read_record(record.data()), out).ok());
  EXPECT_EQ(out, "[redacted] [redacted] [redacted] [redacted] [redacted] 4 none orders.paid");
  EventTemplate whole = EventTemplate::parse("/{data}/{data.open}/{id}", Place::url).value();
  rules.redact = {parse_field_path("data").value()};
  EXPECT_EQ(whole.redact(rules), (std::vector<std::string>{"data", "data.open"}));
  out.clear();
  ASSERT_TRUE(whole.render(read_record(record.data()), out).ok());
  EXPECT_EQ(out.find("/%5Bredacted%5D/%5Bredacted%5D/0"), 0U) << out;
}

TEST(EventTemplate, TheFixedTextOfAUrlIsWhatRfc3986Allows) {
  const auto filled = [](const char* text) {
    const std::vector<std::uint8_t> record = make_record({.key = "41"});
    std::string out;
    EXPECT_TRUE(EventTemplate::parse(text, Place::url)
                    .value()
                    .render(read_record(record.data()), out)
                    .ok());
    return out;
  };
  EXPECT_EQ(filled("/a\"<>\\^`|[]%zz%4"), "/a%22%3C%3E%5C%5E%60%7C%5B%5D%25zz%254");
  EXPECT_EQ(filled("/%41%c3/-._~!$&'()*+,;=:@?a/b?c"), "/%41%c3/-._~!$&'()*+,;=:@?a/b?c");
  EXPECT_EQ(filled("/%{key}/{{{key}}}/\xc3\xa9"), "/%2541/%7B41%7D/%C3%A9");
  EXPECT_EQ(filled("https://[::1]/<{key}>"), "https://[::1]/%3C41%3E");
}

}  // namespace
}  // namespace outrider::sidecar
