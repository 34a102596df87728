// Journal: priorities of lines on stderr if it is the stream of systemd's journal (JOURNAL_STREAM):
// <N> at the beginning of a line, syslog(3). Without a journal the text is unchanged.
//
// Used by StderrLog, and by the commands for output without a log. Thread: any; print_errors is
// only for the commands, because it waits for the reader of stderr.
#pragma once

#include <string>
#include <string_view>

#include "sidecar/base/log.hpp"

namespace outrider::sidecar {

/// Whether `fd` is the stream that JOURNAL_STREAM ("device:inode") names.
bool is_journal(int fd, const char* journal_stream);

/// Whether `fd` is the journal of the environment we were started in.
bool is_journal(int fd);

std::string_view journal_priority(LogLevel level);

/// Each of the lines with its priority in front.
std::string with_priority(LogLevel level, std::string_view lines);

/// Each of the lines as printable() writes it, uncut; their ends stay.
std::string printable_lines(std::string_view lines);

/// Lines on stderr, printable, of priority err in the journal. They end with a newline each.
void print_errors(std::string_view lines);

}  // namespace outrider::sidecar
