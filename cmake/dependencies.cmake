# Third-party libraries, all of them Debian packages (the list that `./dev` installs from is
# cmake/packages.txt). Each is linked PRIVATE by the one or two modules that wrap it.

# For the SDK. GLOBAL: a project that takes this one in links them by outrider::client.
find_package(Threads REQUIRED GLOBAL)
find_package(PkgConfig REQUIRED)
pkg_check_modules(libzmq REQUIRED IMPORTED_TARGET GLOBAL libzmq)

# msgpack-c's C++ headers; found by their header, for Debian's package hides its CMake file under
# another name. The define spares its users Boost's headers.
find_path(MSGPACK_INCLUDE_DIR msgpack.hpp REQUIRED)
add_library(outrider_msgpack INTERFACE)
target_include_directories(outrider_msgpack SYSTEM INTERFACE ${MSGPACK_INCLUDE_DIR})
target_compile_definitions(outrider_msgpack INTERFACE MSGPACK_NO_BOOST
                                                      MSGPACK_DEFAULT_API_VERSION=3)

if(NOT OUTRIDER_SIDECAR)
  return()
endif()

find_package(CURL REQUIRED)
find_package(OpenSSL REQUIRED)
find_package(SQLite3 REQUIRED)
find_package(fmt REQUIRED)
find_package(spdlog REQUIRED)
find_package(Boost REQUIRED COMPONENTS program_options)
pkg_check_modules(libdeflate REQUIRED IMPORTED_TARGET libdeflate)
pkg_check_modules(libzstd REQUIRED IMPORTED_TARGET libzstd)
pkg_check_modules(microhttpd REQUIRED IMPORTED_TARGET libmicrohttpd)
pkg_check_modules(httplib REQUIRED IMPORTED_TARGET cpp-httplib)

# Time zones. Debian's package has neither a CMake nor a pkg-config file.
find_path(CCTZ_INCLUDE_DIR cctz/time_zone.h REQUIRED)
find_library(CCTZ_LIBRARY cctz REQUIRED)
add_library(outrider_cctz INTERFACE)
target_include_directories(outrider_cctz SYSTEM INTERFACE ${CCTZ_INCLUDE_DIR})
target_link_libraries(outrider_cctz INTERFACE ${CCTZ_LIBRARY})
