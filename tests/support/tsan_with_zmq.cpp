// For tests that use libzmq under the thread sanitizer. Debian's libzmq is not instrumented, so
// that the sanitizer cannot see how its threads hand over to each other; what it does itself is
// left out. Threads may be started after a fork, which the sanitizer forbids by default.
#if defined(__SANITIZE_THREAD__)
#define VISIBLE __attribute__((visibility("default")))

extern "C" VISIBLE const char* __tsan_default_suppressions();
extern "C" VISIBLE const char* __tsan_default_suppressions() {
  return "called_from_lib:libzmq.so\nrace:libzmq.so\n";
}

extern "C" VISIBLE const char* __tsan_default_options();
extern "C" VISIBLE const char* __tsan_default_options() { return "die_after_fork=0"; }
#endif
