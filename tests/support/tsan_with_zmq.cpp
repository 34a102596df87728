// For programs that use libzmq under the thread sanitizer. Debian's libzmq is not instrumented, so
// that the sanitizer cannot see how its threads hand over to each other: what it does itself is
// left out, and that a message is written before it is sent and read after it was received is said
// here, in its place.
#if defined(__SANITIZE_THREAD__)
#include <dlfcn.h>
#include <sanitizer/tsan_interface.h>
#include <zmq.h>

#define VISIBLE __attribute__((visibility("default")))

extern "C" VISIBLE const char* __tsan_default_suppressions();
extern "C" VISIBLE const char* __tsan_default_suppressions() {
  return "called_from_lib:libzmq.so\nrace:libzmq.so\nrace:libpgm\n";
}

namespace {

using Transfer = int (*)(zmq_msg_t*, void*, int);
char handed_over;

Transfer find(const char* name) {
  return reinterpret_cast<Transfer>(dlsym(RTLD_NEXT, name));
}

}  // namespace

extern "C" VISIBLE int zmq_msg_send(zmq_msg_t* message, void* socket, int flags) {
  static const Transfer send = find("zmq_msg_send");
  __tsan_release(&handed_over);
  return send(message, socket, flags);
}

extern "C" VISIBLE int zmq_msg_recv(zmq_msg_t* message, void* socket, int flags) {
  static const Transfer receive = find("zmq_msg_recv");
  const int received = receive(message, socket, flags);
  __tsan_acquire(&handed_over);
  return received;
}
#endif
