// README.md works as it is printed. Each of its blocks is cut out of the page and run; a block that
// no test knows fails NoBlockIsLeftOut.
//
// What is substituted, because tests run beside each other and builds have many folders:
// - `ipc:///tmp/` by the test's own folder;
// - the port 8443 by 0, which is any free one, where the receiver listens, and by the one that it
//   got everywhere else;
// - the checkout by a folder whose build/release/bin is that of this build, and whose ./dev builds
//   nothing.

#include "e2e/readme.hpp"

#include <array>
#include <regex>

namespace outrider::test {
namespace {

constexpr const char* readme = "README.md";

/// A block by its language and a part of it. The demo's output is compared in examples_test.cpp;
/// the picture shows nothing to run.
struct KnownBlock {
  const char* language;
  const char* part;
  std::string text() const { return block_of(readme, language, part); }
};
constexpr KnownBlock picture{"text", "application process"};
constexpr KnownBlock demo{"sh", "./dev demo"};
constexpr KnownBlock demo_output{"text", "app: "};
constexpr KnownBlock build{"sh", "./dev build"};
constexpr KnownBlock first_config{"ini", "[destination.collector]"};
constexpr KnownBlock terminals{"sh", "outrider run"};
constexpr KnownBlock hello{"cpp", "int main"};
constexpr KnownBlock spool_config{"ini", "[spool]"};
constexpr KnownBlock spool_commands{"sh", "outrider spool info"};
constexpr KnownBlock deliver{"cpp", "deliver_wait"};
constexpr std::array known_blocks = {picture,   demo,       build,        first_config,
                                     terminals, hello,      spool_config, spool_commands,
                                     deliver,   demo_output};

/// A shell in a process group of its own, as a terminal has it.
class Terminal {
 public:
  Terminal(const std::string& folder, const std::string& lines)
      : process_({"setsid", "bash", "-ec", lines}, {.directory = folder}) {}
  ~Terminal() {
    if (!is_ended_) kill(-process_.pid(), SIGKILL);
  }
  Terminal(const Terminal&) = delete;
  Terminal& operator=(const Terminal&) = delete;

  Process& process() { return process_; }
  std::string out() const { return process_.text(); }
  std::string err() const { return process_.text(Process::Stream::err); }

  int press_ctrl_c() {
    kill(-process_.pid(), SIGINT);
    return wait();
  }
  int wait() {
    const std::optional<int> status = process_.wait(60s);
    is_ended_ = status.has_value();
    return status.value_or(-1);
  }

 private:
  Process process_;
  bool is_ended_ = false;
};

class ReadmeTest : public testing::Test {
 protected:
  ReadmeTest() {
    const std::string bin = outrider_binary().substr(0, outrider_binary().rfind('/'));
    std::filesystem::create_directories(dir_.file("checkout/build/release"));
    std::filesystem::create_directory_symlink(bin, dir_.file("checkout/build/release/bin"));
    write_file(dir_.file("checkout/dev"), "#!/bin/sh\n[ \"$1\" = build ]\n");
    std::filesystem::permissions(dir_.file("checkout/dev"), std::filesystem::perms::owner_all);
    std::filesystem::create_directory(dir_.file("any"));
  }

  /// Runs the lines in any folder, after the ones that the page gives for each terminal.
  std::unique_ptr<Terminal> open_terminal(const std::string& lines) const {
    return std::make_unique<Terminal>(
        dir_.file("checkout"), build.text() + "cd " + dir_.file("any") + "\n" + as_here(lines));
  }

  void write_config(const std::string& text) const {
    write_file(dir_.file("any/outrider.conf"), as_here(text));
  }

  void start_receiver() {
    ASSERT_NE(lines_of_terminal(1).find(" 127.0.0.1:8443 "), std::string::npos);
    receiver_ = open_terminal(lines_of_terminal(1));
    const auto line = receiver_->process().wait_for_line("listening on ");
    ASSERT_TRUE(line) << receiver_->err();
    port_ = line->substr(line->rfind(':') + 1);
  }

  void start_sidecar() {
    sidecar_ = open_terminal(lines_of_terminal(2));
    ASSERT_TRUE(sidecar_->process().wait_for_line(" ready ", Process::Stream::err))
        << sidecar_->out() << sidecar_->err();
  }

  void stop_sidecar() {
    EXPECT_EQ(sidecar_->press_ctrl_c(), 0) << sidecar_->err();
    EXPECT_NE(sidecar_->err().find("every accepted event is accounted for"), std::string::npos);
  }

  /// Of the block of three terminals, those between "# Terminal N" and the next.
  static std::string lines_of_terminal(int number) {
    std::string lines;
    bool is_here = false;
    for (const std::string& line : lines_of(terminals.text())) {
      if (line.starts_with("# Terminal ")) {
        is_here = line.starts_with("# Terminal " + std::to_string(number));
      } else if (is_here) {
        lines += line + "\n";
      }
    }
    EXPECT_FALSE(lines.empty()) << "nothing for terminal " << number;
    return lines;
  }

  std::string as_here(const std::string& text) const {
    return replaced(replaced(text, "ipc:///tmp/", "ipc://" + dir_.path() + "/"), "8443", port_);
  }

  const TempDir dir_;
  std::string port_ = "0";
  std::unique_ptr<Terminal> receiver_;
  std::unique_ptr<Terminal> sidecar_;
};

TEST_F(ReadmeTest, NoBlockIsLeftOut) {
  for (const Block& block : blocks_of(readme)) {
    const auto is_it = [&](const KnownBlock& known) {
      return block.language == known.language && block.text.find(known.part) != std::string::npos;
    };
    EXPECT_EQ(std::ranges::count_if(known_blocks, is_it), 1) << "what runs this?\n" << block.text;
  }
  EXPECT_EQ(blocks_of(readme).size(), known_blocks.size());
}

TEST_F(ReadmeTest, AfterTheBuildTheBinaryIsOnThePath) {
  const auto terminal = open_terminal("command -v outrider");
  EXPECT_EQ(terminal->wait(), 0) << terminal->err();
  EXPECT_EQ(terminal->out(), dir_.file("checkout/build/release/bin/outrider\n"));
  EXPECT_NE(page("dev").find("build/${1:-release}/bin/outrider"), std::string::npos);
  EXPECT_NE(page(readme).find("`build/release/bin/examples/hello`"), std::string::npos);
  EXPECT_TRUE(std::filesystem::exists(dir_.file("checkout/build/release/bin/examples/hello")));
}

TEST_F(ReadmeTest, TheQuickStartShowsItsEvent) {
  ASSERT_NO_FATAL_FAILURE(start_receiver());
  write_config(first_config.text());
  ASSERT_NO_FATAL_FAILURE(start_sidecar());
  EXPECT_NE(sidecar_->out().find("outrider.conf:3"), std::string::npos) << sidecar_->out();
  const auto third = open_terminal(lines_of_terminal(3));
  EXPECT_EQ(third->wait(), 0) << third->err();
  EXPECT_TRUE(receiver_->process().wait_for_line("{\"amount\":49.99}")) << receiver_->out();
  stop_sidecar();
}

TEST_F(ReadmeTest, WithTheSpoolAnEventComesAtItsDate) {
  ASSERT_NO_FATAL_FAILURE(start_receiver());
  write_config(first_config.text() + spool_config.text());
  ASSERT_NO_FATAL_FAILURE(start_sidecar());
  EXPECT_NE(sidecar_->out().find("The next runs are"), std::string::npos) << sidecar_->out();
  const auto third = open_terminal(spool_commands.text());
  EXPECT_EQ(third->wait(), 0) << third->err();
  EXPECT_NE(third->out().find("\ncollector "), std::string::npos) << third->out();
  EXPECT_NE(third->out().find("put back 0 dead letters"), std::string::npos) << third->out();
  EXPECT_TRUE(receiver_->process().wait_for_line("invoices.due ")) << receiver_->out();
  stop_sidecar();
}

TEST_F(ReadmeTest, TheLinesOfCppAreThoseOfTheExamplesThatAreBuilt) {
  EXPECT_NE(page("examples/hello.cpp").find("\n" + hello.text()), std::string::npos);
  EXPECT_NE(page("examples/deliver.cpp").find("\n" + deliver.text()), std::string::npos);
}

TEST(Pages, EachCommandOfDevIsOne) {
  const std::string help = run({source_path("dev"), "help"}).out;
  const std::string list = without_figures(help);
  for (const std::string& line : lines_of(demo.text())) {
    const std::string words = replaced(replaced(line, "./dev", ""), "#", "");
    EXPECT_NE(list.find(without_figures(words)), std::string::npos) << line << "\n" << help;
  }
  const std::regex command("\\./dev ([a-z]+)");
  for (const char* path : {readme, "CONTRIBUTING.md"}) {
    const std::string text = page(path);
    for (std::sregex_iterator it(text.begin(), text.end(), command), end; it != end; ++it) {
      const std::string name = (*it)[1];
      EXPECT_NE(help.find("\n  " + name + " "), std::string::npos) << path << ": ./dev " << name;
    }
  }
}

TEST(Pages, TheirLinksLeadToFiles) {
  const std::regex link("\\]\\(([^)#:]+)[)#]");
  for (const char* path :
       {readme, "CONTRIBUTING.md", "docs/bodies.md", "docs/json-mapping.md", "docs/schedules.md"}) {
    const std::string text = page(path);
    const std::filesystem::path folder = std::filesystem::path(source_path(path)).parent_path();
    for (std::sregex_iterator it(text.begin(), text.end(), link), end; it != end; ++it) {
      EXPECT_TRUE(std::filesystem::exists(folder / (*it)[1].str())) << path << ": " << (*it)[1];
    }
  }
}

/// The settings of pages beside README.md, with what each of them leaves out.
TEST(Pages, TheirSettingsAreAccepted) {
  const TempDir dir;
  const std::string secret = dir.file("webhook.secret");
  write_file(secret, "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw\n");
  std::filesystem::permissions(secret, std::filesystem::perms::owner_read);
  const std::string destination = "[destination.a]\nurl = https://collector.example/events\n";
  const std::string bodies = "docs/bodies.md";
  const std::vector<std::string> configs = {
      replaced(block_of(bodies, "ini", "signing_secret_file"), "/etc/outrider/webhook.secret",
               secret),
      destination + block_of(bodies, "ini", "redact = data.password"),
      "[destination.a]\nformat = payload\n" + block_of(bodies, "ini", "method = "),
      destination + "[spool]\npath = " + dir.file("spool.db") + "\n" +
          block_of("docs/schedules.md", "ini", "cron = ")};
  for (const std::string& config : configs) {
    write_file(dir.file("outrider.conf"), config);
    const Finished check =
        run({outrider_binary(), "check", "--elsewhere", "--config", dir.file("outrider.conf")});
    EXPECT_EQ(check.status, 0) << config << check.err;
  }
}

}  // namespace
}  // namespace outrider::test
