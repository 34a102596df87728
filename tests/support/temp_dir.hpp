// A directory of the test's own, with a path short enough for Unix sockets; removed with all in it.
#pragma once

#include <filesystem>
#include <string>
#include <system_error>

#include <stdlib.h>

namespace outrider::test {

class TempDir {
 public:
  TempDir() {
    char path[] = "/tmp/outrider.XXXXXX";
    if (mkdtemp(path) == nullptr) throw std::system_error(errno, std::generic_category(), path);
    path_ = path;
  }
  ~TempDir() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  TempDir(const TempDir&) = delete;
  TempDir& operator=(const TempDir&) = delete;

  const std::string& path() const { return path_; }
  std::string file(const std::string& name) const { return path_ + "/" + name; }

 private:
  std::string path_;
};

}  // namespace outrider::test
