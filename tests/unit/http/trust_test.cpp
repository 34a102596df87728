#include "sidecar/http/trust.hpp"

#include <filesystem>
#include <fstream>
#include <sstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "support/certificate.hpp"
#include "support/temp_dir.hpp"

namespace outrider::sidecar {
namespace {

using testing::HasSubstr;

class TrustTest : public testing::Test {
 protected:
  /// A new file in the place of the old one, so that the change is seen within one clock tick.
  void write(const std::string& text) {
    std::ofstream(dir_.file("new")) << text;
    std::filesystem::rename(dir_.file("new"), path_);
  }
  void write_certificate(const std::string& name) {
    const std::string file =
        test::make_certificate(dir_.path(), "IP:127.0.0.1", name.c_str()).cert_file;
    std::ostringstream text;
    text << std::ifstream(file).rdbuf();
    write(text.str());
  }

  std::shared_ptr<const TrustStore> read() {
    const auto store = stores_.read(path_);
    EXPECT_TRUE(store.ok());
    return store.ok() ? store.value() : nullptr;
  }
  std::string refusal() {
    const auto store = stores_.read(path_);
    return store.ok() ? "" : store.error().message;
  }

  test::TempDir dir_;
  const std::string path_ = dir_.file("ca");
  TrustStores stores_;
};

TEST_F(TrustTest, AFileThatStaysIsParsedOnceForAll) {
  write_certificate("one");
  const auto first = read();
  EXPECT_EQ(read(), first);
}

TEST_F(TrustTest, AChangedFileIsAnotherStoreForAll) {
  write_certificate("one");
  const auto first = read();
  write_certificate("two");
  const auto second = read();
  EXPECT_NE(second, first);
  EXPECT_NE(second->id(), first->id());
  EXPECT_EQ(read(), second);
  EXPECT_NE(second->pem(), first->pem());
}

TEST_F(TrustTest, NamesTheFileThatCannotBeUsedAsLongAsItIsThatWay) {
  EXPECT_THAT(refusal(), HasSubstr("\"" + path_ + "\" cannot be read: No such file"));
  write("hidden");
  for (int i = 0; i < 2; ++i) {
    EXPECT_EQ(refusal(), "file \"" + path_ + "\" holds no certificate in PEM");
  }
  write_certificate("one");
  const auto first = read();
  std::filesystem::remove(path_);
  EXPECT_THAT(refusal(), HasSubstr("No such file"));
}

}  // namespace
}  // namespace outrider::sidecar
