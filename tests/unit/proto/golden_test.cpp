#include <fstream>
#include <string>

#include <gtest/gtest.h>

#include "proto/frame_reader.hpp"
#include "support/golden_frames.hpp"
#include "support/places.hpp"

namespace outrider::proto {
namespace {

using test::GoldenFields;
using test::to_hex;

void add_number(GoldenFields& fields, const std::string& name, std::uint64_t value) {
  if (value != 0) fields[name] = std::to_string(value);
}

void add_text(GoldenFields& fields, const std::string& name, std::string_view value) {
  if (!value.empty()) fields[name] = value;
}

GoldenFields fields_of(const FrameHeader& header) {
  GoldenFields fields;
  add_text(fields, "c", to_hex(header.client_id));
  add_number(fields, "s", header.sequence);
  add_text(fields, "h", header.host);
  add_number(fields, "p", header.pid);
  add_text(fields, "l", header.library);
  for_each_drop(header.drops, [&](std::string_view reason, std::uint64_t events) {
    fields["d." + std::string(reason)] = std::to_string(events);
  });
  return fields;
}

GoldenFields fields_of(const EventView& event) {
  const Attributes& attributes = event.attributes;
  GoldenFields fields = {{"topic", std::string(event.topic)},
                         {"time", std::to_string(event.time_ns)},
                         {"data_hex", to_hex(event.data)}};
  const std::string prefix = "attributes.";
  if (attributes.id_is_text) {
    add_text(fields, prefix + "id", as_text(attributes.id));
  } else {
    add_text(fields, prefix + "id_hex", to_hex(attributes.id));
  }
  add_text(fields, prefix + "key", attributes.key);
  add_text(fields, prefix + "trace", attributes.trace);
  add_number(fields, prefix + "at", attributes.at_ns);
  add_number(fields, prefix + "ttl", attributes.ttl_ms);
  if (attributes.priority != Priority::normal) {
    fields[prefix + "pri"] = std::to_string(static_cast<int>(attributes.priority));
  }
  return fields;
}

TEST(Golden, EveryFrameIsReadAsTheFileSays) {
  const test::GoldenFile golden = test::read_golden_frames();
  ASSERT_GT(golden.frames.size(), 250U);
  // One reader for all: what one frame leaves behind must not show in the next.
  FrameReader reader({golden.frame_bytes_max, golden.event_bytes_max});
  for (const test::GoldenFrame& frame : golden.frames) {
    SCOPED_TRACE(frame.name);
    EXPECT_EQ(static_cast<unsigned>(reader.open(frame.bytes)), frame.refusal);
    ASSERT_EQ(reader.event_count(), frame.events.size());
    if (frame.refusal != 0) continue;
    EXPECT_EQ(fields_of(reader.header()), frame.header);
    for (const test::GoldenEvent& expected : frame.events) {
      EventView event;
      ASSERT_EQ(static_cast<unsigned>(reader.next(event)), expected.refusal);
      if (expected.refusal == 0) {
        EXPECT_EQ(fields_of(event), expected.fields);
      }
    }
  }
}

TEST(Golden, TheWorkedFrameOfTheSpecificationIsOneOfThem) {
  std::ifstream specification(test::source_path("proto/README.md"));
  std::string worked;
  bool is_inside = false;
  for (std::string line; std::getline(specification, line);) {
    if (line.starts_with("## Limits")) break;
    is_inside = is_inside || line.starts_with("### A worked frame");
    if (!is_inside || !line.starts_with("| `")) continue;
    worked += line.substr(3, line.find('`', 3) - 3);
  }
  std::erase(worked, ' ');
  for (const test::GoldenFrame& frame : test::read_golden_frames().frames) {
    if (frame.name == "the worked frame of the specification") {
      EXPECT_EQ(worked, to_hex(frame.bytes));
      return;
    }
  }
  FAIL() << "no such vector";
}

TEST(Golden, EveryRefusalHasAVector) {
  const test::GoldenFile golden = test::read_golden_frames();
  std::map<unsigned, int> seen;
  for (const test::GoldenFrame& frame : golden.frames) {
    ++seen[frame.refusal];
    for (const test::GoldenEvent& event : frame.events) ++seen[event.refusal];
  }
  for (const RefusalRow& row : refusals) {
    // A matter of the clock, the endpoint or the disk, not of the bytes: ingest refuses it.
    const bool is_of_the_bytes =
        row.refusal < Refusal::frame_unnumbered ||
        (row.refusal >= Refusal::event_shape && row.refusal < Refusal::event_scheduled) ||
        row.refusal == Refusal::event_date;
    if (!is_of_the_bytes || is_for_later(static_cast<unsigned>(row.refusal))) {
      continue;
    }
    EXPECT_GT(seen[static_cast<unsigned>(row.refusal)], 0) << row.name;
  }
}

}  // namespace
}  // namespace outrider::proto
