// Steady state: an emitting thread makes no system call and allocates nothing.
#include <array>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdlib>
#include <new>
#include <thread>

#include <gtest/gtest.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <sys/prctl.h>
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

void emit_reference(Client& client, std::uint32_t order) {
  client.emit(bench::reference_topic,
              [order](Writer& writer) { bench::pack_reference_data(writer.packer(), order); });
}

void emit_fields(Client& client) {
  client.emit("orders.paid", {{"amount", 49.99}, {"tags", {{"region", "eu"}}}},
              {.key = "order-7", .ttl = 1h});
}

/// From here on the calling thread may make no system call but `allowed`; another one ends the
/// process with SIGSYS.
bool allow_only(unsigned allowed) {
  const std::array<sock_filter, 4> program{{
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, allowed, 0, 1),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),
  }};
  const sock_fprog filter{program.size(), const_cast<sock_filter*>(program.data())};
  return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
         prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter) == 0;
}

/// Emits as fast as the sidecar takes it; 0 if all was as it should be.
int emit_in_steady_state(const std::string& endpoint) {
  Options options;
  options.endpoint = endpoint.c_str();
  // After a frame the shipper gathers for longer than this test takes. Had it gone to sleep, the
  // first event would have to wake it, which is the one system call that emit ever makes.
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
  if (!allow_only(SYS_exit_group)) return 3;
  for (std::uint32_t i = 0; i < steady_events; ++i) emit_reference(client, i);
  for (int i = 0; i < 100; ++i) emit_fields(client);
  syscall(SYS_exit_group, allocations == before ? 0 : 4);
  return 5;
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
  // A busy machine may let the shipper fall asleep in between, and to wake it takes a system call;
  // a call on the path itself would be made every time.
  int status = -1;
  for (int tries = 0; tries < 10 && status != 0; ++tries) status = steady_status();
  EXPECT_FALSE(WIFSIGNALED(status)) << "a system call was made: signal " << WTERMSIG(status);
  EXPECT_EQ(WEXITSTATUS(status), 0);
}

}  // namespace
}  // namespace outrider::test
