// What the tests of the configuration share.
#pragma once

#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include <gtest/gtest.h>
#include <stdlib.h>

#include "sidecar/config/load.hpp"

namespace outrider::test {

/// A directory of its own, gone with the object.
class TempDir {
 public:
  TempDir() { EXPECT_NE(mkdtemp(path_.data()), nullptr); }
  ~TempDir() { std::filesystem::remove_all(path_); }
  TempDir(const TempDir&) = delete;
  TempDir& operator=(const TempDir&) = delete;

  std::string write(const std::string& name, const std::string& content) const {
    std::string file = path_ + "/" + name;
    std::ofstream(file, std::ios::binary) << content;
    return file;
  }
  const std::string& path() const { return path_; }

 private:
  std::string path_ = "/tmp/outrider-config-XXXXXX";
};

/// All errors as one text, a line each.
inline std::string messages(const sidecar::LoadResult& result) {
  std::string text;
  for (const sidecar::Error& error : result.errors) text += error.message + "\n";
  return text;
}

/// Loads text that must be without errors.
inline sidecar::LoadedConfig load(const std::string& text,
                                  const std::vector<std::string>& arguments = {}) {
  sidecar::LoadResult result = sidecar::load_config_text(text, "a.conf", arguments);
  EXPECT_EQ(messages(result), "");
  return std::move(result.loaded);
}

}  // namespace outrider::test
