// What an error of SQLite says to people.
#include <cerrno>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sqlite3.h>

#include "sidecar/spool/database.hpp"

namespace outrider::sidecar {
namespace {

using testing::HasSubstr;

TEST(SqliteError, WhereThereIsNoRoomTheTextSaysSoAndWhatToDo) {
  struct Case {
    int code;
    int system_error;
    const char* text;
  };
  for (const Case& full :
       {Case{SQLITE_FULL, 0, "the disk is full: make room"},
        Case{SQLITE_IOERR_WRITE, ENOSPC, "the disk is full: make room"},
        Case{SQLITE_IOERR_SHMSIZE, 0, "the disk is full: make room"},
        Case{SQLITE_CANTOPEN, ENOSPC, "the disk is full: make room"},
        Case{SQLITE_IOERR_WRITE, EDQUOT, "the disk quota is used up"},
        Case{SQLITE_IOERR_WRITE, EFBIG, "the limit on the size of files is reached"}}) {
    const SqliteError error(full.code, full.system_error, "disk I/O error");
    EXPECT_EQ(error.trouble(), StorageTrouble::full) << full.code;
    EXPECT_THAT(error.what(), HasSubstr("disk I/O error; ")) << full.code;
    EXPECT_THAT(error.what(), HasSubstr(full.text)) << full.code;
  }
  EXPECT_STREQ(SqliteError(SQLITE_IOERR_WRITE, EIO, "disk I/O error").what(), "disk I/O error");
}

}  // namespace
}  // namespace outrider::sidecar
