#include "sidecar/net/endpoint_guard.hpp"

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <optional>

#include <gmock/gmock.h>
#include <grp.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "support/temp_dir.hpp"

namespace {

constexpr const char* known_group = "known-group";
constexpr const char* large_group = "large-group";
constexpr std::size_t large_group_bytes = 64U << 10U;
int group_lookups = 0;

}  // namespace

/// The name service of this program: it knows the program's own group, by two names, and as one
/// that has many members.
extern "C" [[gnu::visibility("default")]] int getgrnam_r(const char* name, group* entry,
                                                         char* buffer, size_t size, group** found) {
  ++group_lookups;
  *found = nullptr;
  const bool is_large = std::strcmp(name, large_group) == 0;
  if (is_large && size < large_group_bytes) return ERANGE;
  if (is_large) std::memset(buffer, 'm', large_group_bytes);
  if (is_large || std::strcmp(name, known_group) == 0) *found = entry;
  entry->gr_gid = getgid();
  return 0;
}

namespace outrider::sidecar {
namespace {

using testing::HasSubstr;

class EndpointGuardTest : public testing::Test {
 protected:
  Result<EndpointGuard> claim(std::uint32_t mode = 0660, const std::string& group = "") {
    return EndpointGuard::claim(path_, mode, group);
  }

  std::string refusal(const std::string& path, const std::string& group = "") {
    Result<EndpointGuard> guard = EndpointGuard::claim(path, 0660, group);
    return guard.ok() ? "" : guard.error().message;
  }

  /// A socket bound to the path by somebody who knows nothing of guards.
  int bind_foreign(int type, bool listening) {
    const int fd = socket(AF_UNIX, type, 0);
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::strcpy(address.sun_path, path_.c_str());
    EXPECT_EQ(bind(fd, reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
    if (listening) {
      EXPECT_EQ(listen(fd, 1), 0);
    }
    return fd;
  }

  bool can_connect() {
    const int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::strcpy(address.sun_path, path_.c_str());
    const bool connected = connect(fd, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0;
    close(fd);
    return connected;
  }

  std::uint32_t mode() {
    struct stat found {};
    stat(path_.c_str(), &found);
    return found.st_mode & 07777U;
  }

  test::TempDir dir_;
  const std::string path_ = dir_.file("s.sock");
};

TEST_F(EndpointGuardTest, ListensAndLeavesNothingBehind) {
  {
    Result<EndpointGuard> guard = claim();
    ASSERT_TRUE(guard.ok()) << guard.error().message;
    EXPECT_TRUE(can_connect());
  }
  EXPECT_TRUE(std::filesystem::is_empty(dir_.path()));
}

TEST_F(EndpointGuardTest, SetsTheModeWhateverTheUmask) {
  for (const mode_t mask : {0, 0077}) {
    const mode_t before = umask(mask);
    Result<EndpointGuard> guard = claim(0666);
    umask(before);
    ASSERT_TRUE(guard.ok()) << guard.error().message;
    EXPECT_EQ(mode(), 0666U);
  }
}

TEST_F(EndpointGuardTest, RefusesASecondSidecarAndLeavesTheFirstAlone) {
  Result<EndpointGuard> first = claim();
  ASSERT_TRUE(first.ok());
  EXPECT_THAT(refusal(path_), HasSubstr("another sidecar listens on " + path_));
  EXPECT_TRUE(can_connect());
  // Also when the path is gone already, and only the lock is left.
  first.value().remove_path();
  EXPECT_THAT(refusal(path_), HasSubstr("another sidecar listens on " + path_));
}

TEST_F(EndpointGuardTest, CleansAStaleSocketUp) {
  close(bind_foreign(SOCK_STREAM, true));
  ASSERT_FALSE(can_connect());
  Result<EndpointGuard> guard = claim();
  ASSERT_TRUE(guard.ok()) << guard.error().message;
  EXPECT_TRUE(can_connect());
}

TEST_F(EndpointGuardTest, RefusesTheLiveSocketOfAForeignProcess) {
  const int foreign = bind_foreign(SOCK_STREAM, true);
  EXPECT_THAT(refusal(path_), HasSubstr("another sidecar listens on"));
  EXPECT_TRUE(can_connect());
  // Its backlog is full now: still alive.
  EXPECT_THAT(refusal(path_), HasSubstr("another sidecar listens on"));
  close(foreign);
}

TEST_F(EndpointGuardTest, RefusesASocketOfAnotherKind) {
  const int foreign = bind_foreign(SOCK_DGRAM, false);
  EXPECT_THAT(refusal(path_), HasSubstr("cannot tell whether a process listens"));
  EXPECT_TRUE(std::filesystem::exists(path_));
  close(foreign);
}

TEST_F(EndpointGuardTest, RefusesWhatIsNoSocket) {
  std::ofstream(path_) << "precious";
  EXPECT_THAT(refusal(path_), HasSubstr("is not a socket"));
  EXPECT_TRUE(std::filesystem::exists(path_));
  EXPECT_FALSE(std::filesystem::exists(path_ + ".lock"));
}

TEST_F(EndpointGuardTest, RefusesPathsThatCannotBe) {
  EXPECT_THAT(refusal(dir_.path() + "/missing/s.sock"), HasSubstr("directory must exist"));
  EXPECT_THAT(refusal(""), HasSubstr("must be the path of a file"));
  EXPECT_THAT(refusal("@abstract"), HasSubstr("must be the path of a file"));
  EXPECT_THAT(refusal(path_, "no-such-group"), HasSubstr("no group \"no-such-group\""));
  const std::string room(107 - dir_.path().size() - 1, 'x');
  EXPECT_EQ(refusal(dir_.file(room)), "");
  EXPECT_THAT(refusal(dir_.file(room + "x")), HasSubstr("108 bytes"));
}

/// A name service may take its time, and the sidecar runs by now.
TEST_F(EndpointGuardTest, AsksForItsGroupOnceOnly) {
  group_lookups = 0;
  Result<EndpointGuard> guard = claim(0660, known_group);
  ASSERT_TRUE(guard.ok()) << guard.error().message;
  unlink(path_.c_str());
  EXPECT_TRUE(guard.value().is_displaced());
  EXPECT_TRUE(guard.value().reclaim().ok());
  EXPECT_FALSE(guard.value().is_displaced());
  EXPECT_TRUE(can_connect());
  EXPECT_EQ(mode(), 0660U);
  EXPECT_EQ(group_lookups, 1);
}

TEST_F(EndpointGuardTest, AGroupOfManyMembersIsReadWhole) {
  Result<EndpointGuard> guard = claim(0660, large_group);
  ASSERT_TRUE(guard.ok()) << guard.error().message;
  EXPECT_TRUE(can_connect());
}

TEST_F(EndpointGuardTest, RemovesNoSocketButItsOwn) {
  std::optional<EndpointGuard> guard(std::move(claim().value()));
  unlink(path_.c_str());
  const int foreign = bind_foreign(SOCK_STREAM, true);
  guard.reset();
  EXPECT_TRUE(can_connect());
  close(foreign);
}

}  // namespace
}  // namespace outrider::sidecar
