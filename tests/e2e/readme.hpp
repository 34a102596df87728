// The blocks of README.md and other pages: what stands between two lines of ```, as it is printed.
//
// Used by the tests that run them. Pure functions; what is missing fails the test.
#pragma once

#include <sstream>
#include <string>
#include <string_view>
#include <vector>

#include <gtest/gtest.h>

#include "e2e/e2e_fixture.hpp"

namespace outrider::test {

struct Block {
  std::string language;  ///< the word behind the first ```
  std::string text;      ///< each line with its newline
};

inline std::string page(std::string_view path) {
  return read_file(source_path(path));
}

inline std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> lines;
  std::istringstream stream(text);
  for (std::string line; std::getline(stream, line);) lines.push_back(line);
  return lines;
}

inline std::vector<Block> blocks_of(std::string_view path) {
  std::vector<Block> blocks;
  bool is_inside = false;
  for (const std::string& line : lines_of(page(path))) {
    if (line.starts_with("```")) {
      is_inside = !is_inside;
      if (is_inside) blocks.push_back({line.substr(3), ""});
    } else if (is_inside) {
      blocks.back().text += line + "\n";
    }
  }
  return blocks;
}

/// The text of the one block in this language that holds `part`.
inline std::string block_of(std::string_view path, const std::string& language,
                            const std::string& part) {
  std::vector<std::string> found;
  for (const Block& block : blocks_of(path)) {
    const bool is_it = block.language == language && block.text.find(part) != std::string::npos;
    if (is_it) found.push_back(block.text);
  }
  EXPECT_EQ(found.size(), 1U) << path << " has not one block of " << language << " with " << part;
  return found.empty() ? "" : found.front();
}

inline std::string replaced(std::string text, std::string_view from, std::string_view to) {
  for (std::size_t at = 0; (at = text.find(from, at)) != std::string::npos; at += to.size()) {
    text.replace(at, from.size(), to);
  }
  return text;
}

/// Any number as 0 and any run of blanks as one: what two runs of one command have in common.
inline std::string without_figures(std::string_view line) {
  std::string out;
  for (const char c : line) {
    const char kind = c >= '0' && c <= '9' ? '0' : c;
    if ((kind == '0' || kind == ' ') && out.ends_with(kind)) continue;
    out += kind;
  }
  return out;
}

}  // namespace outrider::test
