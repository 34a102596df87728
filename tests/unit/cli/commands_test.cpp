#include "sidecar/cli/commands.hpp"

#include <fstream>
#include <set>
#include <sstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <zmq.hpp>

#include "sidecar/arguments/exit_status.hpp"
#include "support/places.hpp"
#include "support/process.hpp"
#include "support/temp_dir.hpp"

namespace outrider::sidecar {
namespace {

using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

test::Finished outrider(std::vector<std::string> words) {
  words.insert(words.begin(), test::outrider_binary());
  return test::run(std::move(words));
}

TEST(Commands, HelpNamesEveryCommandAndEachHasItsOwn) {
  const auto help = outrider({"help"});
  EXPECT_EQ(help.status, exit_done);
  for (const CommandRow& row : command_rows()) {
    EXPECT_THAT(help.out, HasSubstr("  " + std::string(row.name) + " "));
    EXPECT_THAT(help.out, HasSubstr(std::string(row.summary)));
    const auto own = outrider({std::string(row.name), "--help"});
    EXPECT_EQ(own.status, exit_done) << row.name;
    EXPECT_THAT(own.out, HasSubstr("usage: outrider ")) << row.name;
    EXPECT_EQ(own.out, outrider({"help", std::string(row.name)}).out);
  }
  EXPECT_EQ(outrider({"--help"}).out, help.out);
  EXPECT_EQ(outrider({"check", "-h"}).out, outrider({"check", "--help"}).out);
}

TEST(Commands, SummariesStandBesideTheLongestNameInAColumn) {
  for (const std::vector<std::string>& words :
       std::vector<std::vector<std::string>>{{"help"}, {"spool", "--help"}, {"dead", "--help"}}) {
    std::istringstream help(outrider(words).out);
    std::set<std::size_t> columns;
    std::string line;
    while (std::getline(help, line) && line != "commands:") {
    }
    while (std::getline(help, line) && !line.empty()) {
      const std::size_t end_of_name = line.find("  ", 2);
      ASSERT_NE(end_of_name, std::string::npos) << line;
      columns.insert(line.find_first_not_of(' ', end_of_name));
    }
    EXPECT_EQ(columns.size(), 1U) << words[0];
  }
}

TEST(Commands, VersionNamesTheLibrariesToo) {
  const auto version = outrider({"--version"});
  EXPECT_EQ(version.status, exit_done);
  EXPECT_THAT(version.out, StartsWith("outrider " OUTRIDER_VERSION "\n"));
  for (const char* library : {"libzmq 4.", "libcurl ", "OpenSSL "}) {
    EXPECT_THAT(version.out, HasSubstr(library));
  }
}

TEST(Commands, WrongUsageIsOneLineThatNamesWhatWasMeant) {
  struct Case {
    std::vector<std::string> words;
    std::string message;
  };
  const std::vector<Case> cases = {
      {{}, "a command is missing"},
      {{"snik"}, "no command \"snik\"; did you mean \"sink\"?"},
      {{"help", "snik"}, "did you mean \"sink\"?"},
      {{"sink\n"}, "\"sink\\x0a\""},
      {{"sink", "--fail-rat", "1"}, "outrider sink: there is no option --fail-rat; did you mean"},
      {{"sink", "--lis", "127.0.0.1:0"}, "there is no option --lis"},
      {{"sink", "--fail-rate", "1.1"}, "--fail-rate: \"1.1\" is not a share"},
      {{"sink", "--fail-rate", "nan"}, "--fail-rate: \"nan\" is not a share"},
      {{"sink", "--status", "99"}, "--status: \"99\" is not an HTTP status"},
      {{"sink", "--delay", "5"}, "--delay: \"5\" is not a duration"},
      {{"sink", "--listen", "8443"}, "--listen: \"8443\" is not HOST:PORT"},
      {{"sink", "--listen", "127.0.0.1:65536"}, "is not HOST:PORT"},
      {{"sink", "--listen"}, "--listen"},
      {{"sink", "--quiet=yes"}, "--quiet"},
      {{"sink", "more"}, "unexpected argument \"more\""},
      {{"sink", "--cert", "a.pem"}, "--cert and --key go together"},
      {{"sink", "--plain", "--cert-out", "a.pem"}, "--plain has no certificate"},
      {{"sink", "--retry-after", "soon"}, "--retry-after: \"soon\""},
      {{"emit"}, "give TOPIC and JSON, or --stdin"},
      {{"emit", "a.b"}, "give TOPIC and JSON, or --stdin"},
      {{"emit", "--stdin", "a.b", "1"}, "give TOPIC and JSON, or --stdin"},
      {{"emit", "--confirm-endpoint", "ipc:///tmp/c.sock", "a.b", "1"},
       "--confirm-endpoint is for --confirm; without it, events go to --endpoint"},
      {{"emit", "a.b", "1", "2"}, "unexpected argument \"2\""},
      {{"emit", "a.b", "{"}, "invalid JSON at byte 1"},
      {{"emit", "a..b", "1"}, "the topic is not"},
      {{"emit", "--endpoint", "nonsense", "a.b", "1"}, "--endpoint: "},
      {{"check"}, "outrider check: --config FILE is missing"},
      {{"check", "--confg", "a"}, "there is no option --confg; did you mean --config?"},
      {{"check", "-v", "--config", "a"}, "\"-v\" is not an option"},
      {{"run", "a.conf"}, "\"a.conf\" is not an option; write --config FILE"},
      {{"run", "--config", "a", "--config", "b"}, "--config is given twice"},
      {{"dead", "list", "--spool", "a", "--limit", "1", "--limit", "2"}, "--limit is given twice"},
  };
  for (const Case& wrong : cases) {
    const auto result = outrider(wrong.words);
    EXPECT_EQ(result.status, exit_usage) << wrong.message;
    EXPECT_THAT(result.err, HasSubstr(wrong.message));
    EXPECT_THAT(result.err, StartsWith("outrider"));
    EXPECT_EQ(std::count(result.err.begin(), result.err.end(), '\n'), 1) << result.err;
    EXPECT_EQ(result.out, "");
  }
}

/// With `redirection` of a shell, such as `>&-`.
test::Finished redirected(const std::string& redirection, std::vector<std::string> words) {
  words.insert(words.begin(),
               {"/bin/sh", "-c", "exec \"$0\" \"$@\" " + redirection, test::outrider_binary()});
  return test::run(std::move(words));
}

TEST(Commands, AClosedOutputIsOneThatCannotBeWrittenTo) {
  for (const char* redirection : {">&-", ">/dev/full"}) {
    const auto version = redirected(redirection, {"version"});
    EXPECT_EQ(version.status, exit_failed) << redirection;
    EXPECT_EQ(version.err, "outrider: cannot write to standard output\n") << redirection;
  }
  EXPECT_EQ(redirected("<&- >&- 2>&-", {"version"}).status, exit_failed);
}

TEST(Commands, AReaderThatHasAllItWantedIsNoFailure) {
  // The reader ends at once; the writer waits until it has.
  for (const std::string words : {"version", "help", "reference"}) {
    const auto piped =
        test::run({"/bin/bash", "-c",
                   "{ sleep 0.2; exec \"$0\" " + words + "; } | true; echo ${PIPESTATUS[0]}",
                   test::outrider_binary()});
    EXPECT_EQ(piped.out, "0\n") << words << piped.err;
    EXPECT_EQ(piped.err, "") << words;
  }
}

TEST(Commands, AClosedInputIsNoEmptyOne) {
  const test::TempDir dir;
  const std::string endpoint = "ipc://" + dir.file("in.sock");
  zmq::context_t context;
  zmq::socket_t sidecar(context, zmq::socket_type::pull);
  sidecar.bind(endpoint);
  const auto emit = redirected("<&-", {"emit", "--stdin", "--endpoint", endpoint});
  EXPECT_EQ(emit.status, exit_failed);
  EXPECT_THAT(emit.err, HasSubstr("stdin cannot be read: Bad file descriptor"));
}

TEST(Commands, ADestinationStdoutNeedsAnOutput) {
  const test::TempDir dir;
  const std::string file = dir.file("a.conf");
  std::ofstream(file) << "[ingest]\nendpoint = ipc://" << dir.file("o.sock")
                      << "\n[destination.a]\ntype = stdout\n";
  for (const char* command : {"check", "run"}) {
    const auto refused = redirected(">&-", {command, "--config", file});
    EXPECT_EQ(refused.status, exit_failed) << command;
    EXPECT_THAT(refused.err, HasSubstr("type: standard output is closed")) << command;
  }
}

TEST(Commands, CheckExplainsTheShippedConfigurationWithWhatTheCommandLineSays) {
  const std::string file = test::source_path("systemd/outrider.conf");
  const auto good = outrider({"check", "--elsewhere", "--config", file, "--shutdown.linger", "7s"});
  EXPECT_EQ(good.status, exit_done) << good.err;
  EXPECT_THAT(good.out, HasSubstr("linger = 7s"));
  EXPECT_EQ(good.out,
            outrider({"check", "--shutdown.linger=7s", "--config=" + file, "--elsewhere"}).out);

  EXPECT_THAT(good.out, Not(HasSubstr("queue_bytes_max = ")));
  const auto all = outrider({"check", "--elsewhere", "--all", "--config", file});
  EXPECT_THAT(all.out, HasSubstr("queue_bytes_max = 64MiB"));

  const auto bad = outrider({"check", "--config", file, "--shutdown.lingr", "7s"});
  EXPECT_EQ(bad.status, exit_usage);
  EXPECT_EQ(bad.out, "");
  EXPECT_THAT(bad.err, HasSubstr("did you mean \"linger\"?"));
}

}  // namespace
}  // namespace outrider::sidecar
