// Handle: owns an object of a C library and frees it with the library's function, as in
// Handle<BIO, BIO_free>. Used by whatever wraps such a library.
#pragma once

#include <memory>

namespace outrider::sidecar {

template <auto free>
struct FreeWith {
  template <typename T>
  void operator()(T* object) const {
    free(object);
  }
};

template <typename T, auto free>
using Handle = std::unique_ptr<T, FreeWith<free>>;

}  // namespace outrider::sidecar
