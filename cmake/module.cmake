# outrider_module(FOLDER [USES...]): one static library a folder.
#
# The folder's own CMakeLists.txt lists its sources and third-party libraries. The build wall: a
# module's headers are reached through a private include root that holds one link, to that folder,
# so `#include "sidecar/queue/x.hpp"` compiles only in modules that name sidecar/queue in USES.
#
# Without OUTRIDER_SIDECAR the rows of the sidecar do nothing.

function(outrider_module folder)
  if(folder MATCHES "^sidecar/" AND NOT OUTRIDER_SIDECAR)
    return()
  endif()
  string(REPLACE "/" "_" name ${folder})
  set(target outrider_${name})
  set(root ${PROJECT_BINARY_DIR}/include/${name})
  get_filename_component(parent ${root}/${folder} DIRECTORY)
  file(MAKE_DIRECTORY ${parent})
  file(CREATE_LINK ${PROJECT_SOURCE_DIR}/${folder} ${root}/${folder} SYMBOLIC)

  add_library(${target} STATIC)
  target_include_directories(${target} PUBLIC ${root})
  target_link_libraries(${target} PRIVATE outrider_flags)
  foreach(used IN LISTS ARGN)
    string(REPLACE "/" "_" used ${used})
    # PRIVATE: the link order is inherited, the right to include is not.
    target_link_libraries(${target} PRIVATE outrider_${used})
  endforeach()
  set(OUTRIDER_MODULE ${target})
  add_subdirectory(${folder})
endfunction()

# outrider_test(NAME SOURCES ... USES ... [LIBS ...] [LABEL unit] [ALONE PATTERN] [TIMEOUT_S 120]):
# one GoogleTest program. USES names modules as above; `tests/support` is always there. The tests
# that ALONE names, as --gtest_filter does, hold the machine to a time or load it: nothing else runs
# beside them.
function(outrider_test name)
  cmake_parse_arguments(TEST "" "LABEL;ALONE;TIMEOUT_S" "SOURCES;USES;LIBS" ${ARGN})
  if(NOT TEST_LABEL)
    set(TEST_LABEL unit)
  endif()
  if(NOT TEST_TIMEOUT_S)
    set(TEST_TIMEOUT_S 120)
  endif()
  add_executable(${name} ${TEST_SOURCES})
  target_include_directories(${name} PRIVATE ${CMAKE_SOURCE_DIR}/tests)
  # Most of a build is the compilation of tests. Less optimisation of their own code, and line
  # numbers instead of full debug information, take 40 % off the compiler's work. With the address
  # sanitizer, -O0 takes half of the rest. A simulation keeps -O1: it runs for longer than it compiles.
  if(OUTRIDER_SANITIZE AND NOT TEST_LABEL STREQUAL "sim")
    target_compile_options(${name} PRIVATE -O0 -g1)
  else()
    target_compile_options(${name} PRIVATE -O1 -g1)
  endif()
  target_link_libraries(${name} PRIVATE outrider_flags GTest::gtest GTest::gmock GTest::gtest_main
    outrider_test_places ${TEST_LIBS})
  foreach(used IN LISTS TEST_USES)
    string(REPLACE "/" "_" used ${used})
    target_link_libraries(${name} PRIVATE outrider_${used})
  endforeach()
  set(properties PROPERTIES TIMEOUT ${TEST_TIMEOUT_S} LABELS ${TEST_LABEL})
  if(TEST_ALONE)
    gtest_discover_tests(${name} DISCOVERY_TIMEOUT 60 TEST_FILTER "-${TEST_ALONE}" ${properties})
    gtest_discover_tests(${name} DISCOVERY_TIMEOUT 60 TEST_FILTER "${TEST_ALONE}" ${properties}
      RUN_SERIAL TRUE)
  else()
    gtest_discover_tests(${name} DISCOVERY_TIMEOUT 60 ${properties})
  endif()
endfunction()
