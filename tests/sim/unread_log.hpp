// UnreadLog: the real log of a process, on a pipe that its reader leaves alone for a while.
//
// For the simulations. Nothing may wait for it, else the history hangs. Every line is read in the
// end, or is in a number of dropped ones that was said.
// Thread: one, beside the log's own. Owns: the pipe.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <memory>
#include <string>

#include <fcntl.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <unistd.h>

#include "sidecar/base/stderr_log.hpp"

namespace outrider::test {

class UnreadLog final : public sidecar::Log {
 public:
  UnreadLog() {
    EXPECT_EQ(pipe2(fds_.data(), O_CLOEXEC), 0);
    fcntl(fds_[1], F_SETPIPE_SZ, 4096);
    log_ = std::make_unique<sidecar::StderrLog>(sidecar::LogLevel::debug, sidecar::LogFormat::text,
                                                fds_[1]);
  }
  ~UnreadLog() override {
    log_.reset();
    for (const int fd : fds_) close(fd);
  }
  UnreadLog(const UnreadLog&) = delete;
  UnreadLog& operator=(const UnreadLog&) = delete;

  void write(sidecar::LogLevel level, std::string_view message,
             sidecar::LogFields fields) override {
    log_->write(level, message, fields);
    ++written_;
  }

  /// So much, or all there is: what was dropped must be said without being asked.
  void read_some(std::uint64_t bytes) {
    while (bytes > 0 && lines_ + dropped_ < written_) {
      constexpr int patience_ms = 10'000;
      pollfd ready = {fds_[0], POLLIN, 0};
      ASSERT_EQ(poll(&ready, 1, patience_ms), 1)
          << "of " << written_ << " lines " << lines_ << " were read, and " << dropped_
          << " said to be dropped";
      bytes -= std::min(bytes, read_block());
    }
    EXPECT_LE(lines_ + dropped_, written_);
  }
  void read_all() { read_some(UINT64_MAX); }

 private:
  std::uint64_t read_block() {
    std::array<char, 4096> block{};
    const ssize_t got = read(fds_[0], block.data(), block.size());
    if (got <= 0) return block.size();
    rest_.append(block.data(), static_cast<std::size_t>(got));
    for (std::size_t end = 0; (end = rest_.find('\n')) != std::string::npos;) {
      take(rest_.substr(0, end));
      rest_.erase(0, end + 1);
    }
    return static_cast<std::uint64_t>(got);
  }

  void take(const std::string& line) {
    static constexpr std::string_view count = " lines=";
    if (line.find("log lines were dropped") == std::string::npos) {
      ++lines_;
    } else {
      dropped_ += std::stoull(line.substr(line.find(count) + count.size()));
    }
  }

  std::array<int, 2> fds_{-1, -1};
  std::unique_ptr<sidecar::StderrLog> log_;
  std::string rest_;  ///< of a line that has not come whole
  std::uint64_t written_ = 0;
  std::uint64_t lines_ = 0;  ///< read
  std::uint64_t dropped_ = 0;
};

}  // namespace outrider::test
