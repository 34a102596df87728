// Where this checkout and its build lie. Used by tests. The paths are compiled into one small file
// only, so that every other object is the same in each checkout and comes out of the compiler
// cache.
#pragma once

#include <string>
#include <string_view>

namespace outrider::test {

/// A file of the checkout, by its path below the top.
std::string source_path(std::string_view path);

/// The `outrider` program of this build.
const std::string& outrider_binary();

}  // namespace outrider::test
