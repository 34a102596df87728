#include <atomic>
#include <chrono>
#include <cstdlib>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include <gtest/gtest.h>
#include <msgpack.hpp>
#include <sys/wait.h>
#include <unistd.h>

#include "outrider/client.hpp"
#include "unit/sdk/confirmer.hpp"
#include "unit/sdk/receiver.hpp"

namespace outrider::test {
namespace {

using namespace std::chrono_literals;
using SteadyClock = std::chrono::steady_clock;

Options quick(const std::string& endpoint) {
  Options options;
  options.endpoint = endpoint.c_str();
  options.reconnect_initial_ms = 5;
  options.reconnect_max_ms = 20;
  return options;
}

/// Runs `in_child`, whose answer becomes the exit status, in a forked child.
template <typename InChild>
pid_t fork_and(const InChild& in_child) {
  const pid_t child = fork();
  if (child == 0) _exit(in_child());
  return child;
}

/// True if the child ended by itself, with status 0.
bool ended_well(pid_t child) {
  const int status = wait_for_end(child);
  return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

/// How often each topic came, and that no event came twice.
std::map<std::string, int> count_topics(const Receiver& receiver) {
  std::map<std::string, int> counts;
  std::set<std::string> seen;
  for (const ReceivedEvent& event : receiver.events) {
    ++counts[event.topic];
    EXPECT_TRUE(seen.insert(event.topic + event.data).second) << "twice: " << event.topic;
  }
  return counts;
}

constexpr int events_each = 500;

void emit_all(Client& client, std::string_view topic) {
  for (int i = 0; i < events_each; ++i) client.emit(topic, i);
}

TEST(Fork, ParentAndChildGoOnEmitting) {
  ScratchFolder folder;
  const std::string endpoint = folder.endpoint();
  Client client(quick(endpoint));
  // Nobody listens yet: these are in the buffer at the fork, and the parent's to send.
  emit_all(client, "before");
  const pid_t child = fork_and([&] {
    if (client.stats().emitted != 0) return 2;
    emit_all(client, "child");
    if (client.stats().emitted != events_each) return 3;
    return client.flush(patience) && client.close(patience) == Status::ok ? 0 : 1;
  });
  emit_all(client, "parent");
  Receiver receiver(endpoint);
  EXPECT_TRUE(receiver.receive(3 * events_each));
  EXPECT_TRUE(ended_well(child));
  receiver.drain();
  EXPECT_EQ(count_topics(receiver), (std::map<std::string, int>{
                                        {"before", events_each},
                                        {"child", events_each},
                                        {"parent", events_each},
                                    }));
  std::set<std::string> client_ids;
  for (const ReceivedEvent& event : receiver.events) client_ids.insert(event.client_id);
  EXPECT_EQ(client_ids.size(), 2U);
}

TEST(Fork, GrandchildrenEmitToo) {
  ScratchFolder folder;
  const std::string endpoint = folder.endpoint();
  Receiver receiver(endpoint);
  Client client(quick(endpoint));
  emit_all(client, "parent");
  ASSERT_TRUE(receiver.receive(events_each));
  const pid_t child = fork_and([&] {
    emit_all(client, "child");
    if (!client.flush(patience)) return 2;
    const pid_t grandchild = fork_and([&] {
      emit_all(client, "grandchild");
      return client.flush(patience) && client.close(patience) == Status::ok ? 0 : 1;
    });
    return ended_well(grandchild) && client.close(patience) == Status::ok ? 0 : 1;
  });
  EXPECT_TRUE(receiver.receive(3 * events_each));
  EXPECT_TRUE(ended_well(child));
  EXPECT_EQ(count_topics(receiver).size(), 3U);
}

TEST(Fork, WhileOtherThreadsEmit) {
  ScratchFolder folder;
  const std::string endpoint = folder.endpoint();
  Receiver receiver(endpoint);
  Client client(quick(endpoint));
  std::atomic<bool> is_done = false;
  std::atomic<int> taken = 0;
  std::vector<std::thread> threads;
  for (int t = 0; t < 3; ++t) {
    threads.emplace_back([&, t] {
      const std::string topic = "thread-" + std::to_string(t);
      for (int i = 0; !is_done; ++i) {
        if (client.emit(topic, i) == Status::ok) ++taken;
        // Not faster than the events go out.
        eventually([&] { return is_done || client.stats().buffered_events < 100; });
      }
    });
  }
  constexpr int children = 10;
  std::vector<pid_t> pids;
  for (int i = 0; i < children; ++i) {
    const std::string topic = "child-" + std::to_string(i);
    pids.push_back(fork_and([&] {
      emit_all(client, topic);
      return client.close(patience) == Status::ok ? 0 : 1;
    }));
    receiver.receive_frame(1ms);
  }
  is_done = true;
  for (std::thread& thread : threads) thread.join();
  EXPECT_TRUE(receiver.receive(static_cast<std::size_t>(taken) + children * events_each));
  for (const pid_t pid : pids) EXPECT_TRUE(ended_well(pid));
  count_topics(receiver);
}

TEST(Fork, ChildThatExitsSendsWhatItHas) {
  ScratchFolder folder;
  const std::string endpoint = folder.endpoint();
  Receiver receiver(endpoint);
  Client client(quick(endpoint));
  client.emit("parent", 1);
  ASSERT_TRUE(receiver.receive(1));
  const pid_t child = fork();
  if (child == 0) {
    emit_all(client, "child");
    std::exit(0);
  }
  EXPECT_TRUE(receiver.receive(1 + events_each));
  EXPECT_TRUE(ended_well(child));
}

TEST(Fork, ChildEndsQuicklyHoweverItEnds) {
  ScratchFolder folder;
  const std::string endpoint = folder.endpoint();
  Options options = quick(endpoint);
  options.linger_ms = 50;
  auto client = std::make_unique<Client>(options);
  client->emit("parent", 1);  // nobody is there, ever
  const auto begin = SteadyClock::now();
  for (const bool emits : {false, true}) {
    for (const int way : {0, 1, 2}) {
      const pid_t child = fork();
      if (child == 0) {
        if (emits) client->emit("child", 1);
        if (way == 0) _exit(0);
        if (way == 1) client.reset();
        std::exit(0);
      }
      EXPECT_TRUE(ended_well(child)) << "emits " << emits << ", way " << way;
    }
  }
  EXPECT_LT(SteadyClock::now() - begin, 10s);
}

TEST(Fork, ExitTakesTheLingerOfOneClientAndNotOfAll) {
  const ScratchFolder folder;
  const std::string endpoint = folder.endpoint();  // nobody is there, ever
  const pid_t child = fork();
  if (child == 0) {
    Options options = quick(endpoint);
    options.linger_ms = 1'000;
    // One after the other, they would take longer than anybody waits here.
    // Never destroyed: a static one would be before the library's exit handler runs, if a test
    // before this one has made a client.
    auto& clients = *new std::vector<Client>;
    for (int i = 0; i < 2 * (patience / 1s); ++i) {
      clients.emplace_back(options).emit("t", 1);
    }
    std::exit(0);
  }
  EXPECT_TRUE(ended_well(child));
}

TEST(Fork, ClientThatWasNotUsedYetWorksInBoth) {
  ScratchFolder folder;
  const std::string endpoint = folder.endpoint();
  Receiver receiver(endpoint);
  Client client(quick(endpoint));
  const pid_t child = fork_and([&] {
    client.emit("child", 1);
    return client.close(patience) == Status::ok ? 0 : 1;
  });
  client.emit("parent", 1);
  EXPECT_TRUE(receiver.receive(2));
  EXPECT_TRUE(ended_well(child));
}

Options quick_and_confirmed(const std::string& endpoint) {
  Options options = quick(endpoint);
  options.confirm_endpoint = endpoint.c_str();
  return options;
}

void deliver_all(Client& client, std::string_view topic, std::atomic<int>& told) {
  for (int i = 0; i < events_each; ++i) client.deliver(topic, i, [&](Status) { ++told; });
}

TEST(Fork, ParentAndChildGoOnDelivering) {
  ScratchFolder folder;
  const std::string endpoint = folder.endpoint();
  Client client(quick_and_confirmed(endpoint));
  std::atomic<int> told = 0;
  // Nobody listens yet: these are unconfirmed at the fork, and the parent's to send and to tell.
  deliver_all(client, "before", told);
  const pid_t child = fork_and([&] {
    if (client.stats().delivered != 0 || client.stats().unconfirmed_events != 0) return 2;
    deliver_all(client, "child", told);
    if (client.stats().unconfirmed_events != events_each) return 3;
    if (!client.flush(patience) || client.close(patience) != Status::ok) return 4;
    return told == events_each ? 0 : 5;
  });
  deliver_all(client, "parent", told);
  Confirmer confirmer(endpoint);
  Background sidecar([&] { confirm_next(confirmer); });
  EXPECT_TRUE(ended_well(child));
  EXPECT_TRUE(client.flush(patience));
  EXPECT_EQ(told, 2 * events_each);
  sidecar.stop();
  std::map<std::string, std::size_t> events;
  for (const ConfirmedFrame& frame : confirmer.frames)
    events[frame.client_id] += frame.datas.size();
  ASSERT_EQ(events.size(), 2U) << "each process has a client id of its own";
  EXPECT_EQ(events.begin()->second + events.rbegin()->second, 3U * events_each);
}

TEST(Fork, WhileOtherThreadsDeliver) {
  ScratchFolder folder;
  const std::string endpoint = folder.endpoint();
  Confirmer confirmer(endpoint);
  Background sidecar([&] { confirm_next(confirmer); });
  Client client(quick_and_confirmed(endpoint));
  std::atomic<bool> is_done = false;
  std::atomic<int> taken = 0;
  std::atomic<int> told = 0;
  std::vector<std::thread> threads;
  for (int t = 0; t < 3; ++t) {
    threads.emplace_back([&] {
      for (int i = 0; !is_done; ++i) {
        if (client.deliver("t", i, [&](Status) { ++told; }) == Status::ok) ++taken;
        eventually([&] { return is_done || client.stats().unconfirmed_events < 100; });
      }
    });
  }
  std::vector<pid_t> pids;
  for (int i = 0; i < 10; ++i) {
    pids.push_back(fork_and([&] {
      return client.deliver_wait(patience, "child", 1) == Status::ok &&
                     client.close(patience) == Status::ok
                 ? 0
                 : 1;
    }));
  }
  for (const pid_t pid : pids) EXPECT_TRUE(ended_well(pid));
  is_done = true;
  for (std::thread& thread : threads) thread.join();
  EXPECT_TRUE(client.flush(patience));
  EXPECT_EQ(told, taken);
}

TEST(Fork, ProcessThatExitsWaitsForConfirmations) {
  ScratchFolder folder;
  const std::string endpoint = folder.endpoint();
  Options options = quick_and_confirmed(endpoint);
  options.linger_ms = static_cast<std::uint32_t>(patience.count());
  auto client = std::make_unique<Client>(options);
  const pid_t child = fork();
  if (child == 0) {
    std::atomic<int> told = 0;
    deliver_all(*client, "child", told);
    static_cast<void>(client.release());  // open, as a global would be
    std::exit(0);
  }
  Confirmer confirmer(endpoint);
  std::size_t events = 0;
  while (events < events_each) {
    ASSERT_TRUE(confirmer.receive_frame(patience));
    events += confirmer.frames.back().datas.size();
    confirmer.answer(confirmer.frames.back());
  }
  EXPECT_TRUE(ended_well(child));
}

TEST(Fork, ChildOfAnEmbeddedClientOnlyDrops) {
  void* context = zmq_ctx_new();
  {
    Receiver receiver("inproc://sidecar", context);
    Options options;
    options.endpoint = "inproc://sidecar";
    options.zmq_context = context;
    Client client(options);
    client.emit("parent", 1);
    const pid_t child = fork_and([&] {
      if (client.emit("child", 1) != Status::forked) return 2;
      if (client.stats().dropped[OUTRIDER_DROPPED_FORKED] != 1) return 3;
      if (client.deliver("child", 1).get() != Status::forked) return 4;
      return client.close(0ms) == Status::ok ? 0 : 1;
    });
    EXPECT_TRUE(ended_well(child));
    client.emit("parent", 2);
    EXPECT_TRUE(receiver.receive(2));
  }
  zmq_ctx_term(context);
}

TEST(Fork, AContextThatNoEndpointNeedsIsNotShared) {
  const ScratchFolder folder;
  const std::string endpoint = folder.endpoint();
  void* context = zmq_ctx_new();
  {
    Receiver receiver(endpoint);
    Options options = quick(endpoint);
    options.zmq_context = context;
    Client client(options);
    client.emit("parent", 1);
    const pid_t child = fork_and([&] {
      return client.emit("child", 1) == Status::ok && client.close(patience) == Status::ok ? 0 : 1;
    });
    EXPECT_TRUE(receiver.receive(2));
    EXPECT_TRUE(ended_well(child));
  }
  zmq_ctx_term(context);
}

}  // namespace
}  // namespace outrider::test
