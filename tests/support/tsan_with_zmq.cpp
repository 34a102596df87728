// For tests that use libzmq under the thread sanitizer. Debian's libzmq is not instrumented, so
// that the sanitizer cannot see how its threads hand over to each other; what it does itself is
// left out.
#if defined(__SANITIZE_THREAD__)
#define VISIBLE __attribute__((visibility("default")))

extern "C" VISIBLE const char* __tsan_default_suppressions();
extern "C" VISIBLE const char* __tsan_default_suppressions() {
  return "called_from_lib:libzmq.so\nrace:libzmq.so\n";
}
#endif
