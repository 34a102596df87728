// Steady state: an emitting thread makes no system call and allocates nothing. It may wake the
// shipper, which is one write() for each time that it has gone to sleep.
#include <array>
#include <atomic>
#include <chrono>
#include <csignal>
#include <cstddef>
#include <cstdlib>
#include <new>
#include <thread>

#include <gtest/gtest.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench/reference_event.hpp"
#include "outrider/client.hpp"
#include "unit/sdk/receiver.hpp"

namespace {
thread_local std::size_t allocations = 0;
}  // namespace

// The C library's own names, so that malloc in the SDK counts as well as new.
extern "C" {
void* __libc_malloc(std::size_t bytes);
void* __libc_realloc(void* memory, std::size_t bytes);
void* malloc(std::size_t bytes) {
  ++allocations;
  return __libc_malloc(bytes);
}
void* realloc(void* memory, std::size_t bytes) {
  ++allocations;
  return __libc_realloc(memory, bytes);
}
}

namespace outrider::test {
namespace {

using namespace std::chrono_literals;

constexpr std::uint32_t steady_events = 20'000;
constexpr std::sig_atomic_t wakes_max = 2;
constexpr long sleeps_max = 2;

void emit_reference(Client& client, std::uint32_t order) {
  client.emit(bench::reference_topic,
              [order](Writer& writer) { bench::pack_reference_data(writer.packer(), order); });
}

void emit_fields(Client& client) {
  client.emit("orders.paid", {{"amount", 49.99}, {"tags", {{"region", "eu"}}}},
              {.key = "order-7", .ttl = 1h});
}

volatile std::sig_atomic_t writes = 0;

void count_write(int /*signal*/) {
  writes = writes + 1;
}

/// From here on a write() of the calling thread is counted and not made. Any other system call ends
/// the process with SIGSYS, except for its end and for futex(): the shipper may hold a lock for a
/// moment, and futex() is counted by the times that the thread has slept.
bool count_writes_only() {
  struct sigaction action {};
  action.sa_handler = count_write;
  if (sigaction(SIGSYS, &action, nullptr) != 0) return false;
  const std::array<sock_filter, 9> program{{
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_exit_group, 5, 0),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_rt_sigreturn, 4, 0),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_futex, 3, 0),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_getrusage, 2, 0),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_write, 2, 0),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_TRAP),
  }};
  const sock_fprog filter{program.size(), const_cast<sock_filter*>(program.data())};
  return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
         prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter) == 0;
}

/// How often the calling thread has waited for another.
long times_slept() {
  rusage usage{};
  getrusage(RUSAGE_THREAD, &usage);
  return usage.ru_nvcsw;
}

/// Emits as fast as the sidecar takes it; 0 if all was as it should be.
int emit_in_steady_state(const std::string& endpoint) {
  Options options;
  options.endpoint = endpoint.c_str();
  // After a frame the shipper gathers for longer than this test takes, and nobody wakes it. On a
  // busy machine it may fall asleep before. The wake that it then gets is not made, so it gets no
  // other.
  options.frame_delay_ms = 60'000;
  options.buffer_bytes_max = 64U << 20U;
  Client client(options);
  emit_reference(client, 0);
  if (!client.flush(patience)) return 2;
  for (std::uint32_t i = 0; i < 2 * steady_events; ++i) emit_reference(client, i);
  if (!client.flush(patience)) return 2;
  emit_fields(client);
  if (!client.flush(patience)) return 2;
  emit_reference(client, 0);  // wakes the shipper, should it sleep by now

  const std::size_t before = allocations;
  const long slept_before = times_slept();
  if (!count_writes_only()) return 3;
  for (std::uint32_t i = 0; i < steady_events; ++i) emit_reference(client, i);
  for (int i = 0; i < 100; ++i) emit_fields(client);
  const bool is_steady = writes <= wakes_max && times_slept() - slept_before <= sleeps_max;
  syscall(SYS_exit_group, allocations != before ? 4 : is_steady ? 0 : 5);
  return 6;
}

/// The status of a child that emits in steady state.
int steady_status() {
  ScratchFolder folder;
  const std::string endpoint = folder.endpoint();
  Receiver receiver(endpoint);
  std::atomic<bool> is_done = false;
  const pid_t child = fork();
  if (child == 0) _exit(emit_in_steady_state(endpoint));
  std::thread reader([&] {
    while (!is_done) receiver.receive_frame(10ms);
  });
  int status = -1;
  EXPECT_EQ(waitpid(child, &status, 0), child);
  is_done = true;
  reader.join();
  return status;
}

TEST(SteadyState, NoSystemCallAndNoAllocation) {
  const int status = steady_status();
  EXPECT_FALSE(WIFSIGNALED(status)) << "a system call was made: signal " << WTERMSIG(status);
  EXPECT_EQ(WEXITSTATUS(status), 0)
      << "4: memory was allocated; 5: there were too many wakes or sleeps";
}

}  // namespace
}  // namespace outrider::test
