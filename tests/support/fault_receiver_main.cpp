// fault_receiver: a FaultReceiver as a program, for benchmarks and for people.

#include <charconv>
#include <csignal>
#include <cstdio>
#include <iostream>
#include <optional>
#include <stdexcept>
#include <string>
#include <thread>

#include <pthread.h>

#include "support/fault_receiver.hpp"

namespace outrider::test {
namespace {

constexpr const char* usage = R"(usage: fault_receiver [OPTION]...

A receiver on 127.0.0.1 that answers POST requests, well or badly. It prints "listening on URL", and
what it counted on SIGUSR1 and at its end (SIGINT, SIGTERM).

  --port N             0: any (default)
  --capacity N         serve N requests at a time, let the others wait (default: no limit)
  --latency N[ms|s]    how long each request is served
  --fault NAME         what each request gets (below)
  --status N           answer with this status
  --cert F --key F     speak TLS

Lines on standard input change it while it runs: "capacity N", "latency N", "fault NAME",
"status N", "refuse", "ignore" (listens and never accepts), "listen", "counts".

faults:
)";

struct Settings {
  FaultReceiver::Options options{.keeps_arrivals = false};
  Script script = answer();
};

std::size_t number(const std::string& text) {
  std::size_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) {
    throw std::invalid_argument("not a number: " + text);
  }
  return value;
}

std::chrono::milliseconds duration(std::string text) {
  if (text.ends_with("ms")) {
    text.resize(text.size() - 2);
  } else if (text.ends_with('s')) {
    text.resize(text.size() - 1);
    return std::chrono::seconds(number(text));
  }
  return std::chrono::milliseconds(number(text));
}

Script script_of(const std::string& name) {
  const NamedScript* named = find_script(name);
  if (named == nullptr) throw std::invalid_argument("there is no fault \"" + name + "\"");
  return named->script;
}

Settings parse(int argc, char** argv) {
  Settings settings;
  TlsOptions tls;
  for (int i = 1; i < argc; i += 2) {
    const std::string option = argv[i];
    if (i + 1 == argc) throw std::invalid_argument(option + " needs a value");
    const std::string value = argv[i + 1];
    if (option == "--port") {
      settings.options.port = static_cast<int>(number(value));
    } else if (option == "--capacity") {
      settings.options.capacity = number(value);
    } else if (option == "--latency") {
      settings.options.latency = duration(value);
    } else if (option == "--fault") {
      settings.script = script_of(value);
    } else if (option == "--status") {
      settings.script = answer(static_cast<int>(number(value)));
    } else if (option == "--cert") {
      tls.certificate.cert_file = value;
    } else if (option == "--key") {
      tls.certificate.key_file = value;
    } else {
      throw std::invalid_argument("unknown option " + option);
    }
  }
  if (!tls.certificate.cert_file.empty()) settings.options.tls = tls;
  return settings;
}

void print_counts(const FaultReceiver& receiver) {
  const FaultReceiver::Counts counts = receiver.counts();
  std::printf(
      "connections=%lu requests=%lu answered=%lu cut=%lu abandoned=%lu in_service=%lu "
      "in_service_max=%lu waiting=%lu\n",
      counts.connections, counts.requests, counts.answered, counts.cut, counts.abandoned,
      counts.in_service, counts.in_service_max, counts.waiting);
  std::fflush(stdout);
}

void obey(FaultReceiver& receiver, const std::string& line) {
  const std::size_t space = line.find(' ');
  const std::string verb = line.substr(0, space);
  const std::string value = space == std::string::npos ? "" : line.substr(space + 1);
  if (verb == "capacity") {
    receiver.set_capacity(number(value));
  } else if (verb == "latency") {
    receiver.set_latency(duration(value));
  } else if (verb == "fault") {
    receiver.script_requests({}, script_of(value));
  } else if (verb == "status") {
    receiver.script_requests({}, answer(static_cast<int>(number(value))));
  } else if (verb == "refuse") {
    receiver.refuse();
  } else if (verb == "ignore") {
    receiver.ignore();
  } else if (verb == "listen") {
    receiver.listen();
  } else if (verb == "counts") {
    print_counts(receiver);
  } else {
    throw std::invalid_argument("unknown command \"" + line + "\"");
  }
}

void obey_lines(FaultReceiver& receiver) {
  for (std::string line; std::getline(std::cin, line);) {
    try {
      obey(receiver, line);
    } catch (const std::exception& error) {
      std::fprintf(stderr, "fault_receiver: %s\n", error.what());
    }
  }
}

int run(int argc, char** argv) {
  sigset_t signals;
  sigemptyset(&signals);
  for (const int signal : {SIGINT, SIGTERM, SIGUSR1}) sigaddset(&signals, signal);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);

  Settings settings = parse(argc, argv);
  FaultReceiver receiver(settings.options);
  receiver.script_requests({}, std::move(settings.script));
  std::printf("listening on %s\n", receiver.url().c_str());
  std::fflush(stdout);
  std::thread([&receiver] { obey_lines(receiver); }).detach();
  for (int signal = SIGUSR1; signal == SIGUSR1;) {
    sigwait(&signals, &signal);
    print_counts(receiver);
  }
  // Not through destructors: the thread that reads lines cannot be ended.
  std::_Exit(0);
}

}  // namespace
}  // namespace outrider::test

int main(int argc, char** argv) {
  using namespace outrider::test;
  if (argc == 2 && std::string(argv[1]) == "--help") {
    std::fputs(usage, stdout);
    for (const NamedScript& row : named_scripts()) {
      std::printf("  %-22s %s\n", row.name.c_str(), row.meaning.c_str());
    }
    return 0;
  }
  try {
    return run(argc, argv);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "fault_receiver: %s; --help lists the options\n", error.what());
    return 2;
  }
}
