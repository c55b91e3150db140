# Compiler rules and the functions that folders use: cr_library and cr_binary.

if(NOT CMAKE_CXX_COMPILER_ID STREQUAL "Clang" OR CMAKE_CXX_COMPILER_VERSION VERSION_LESS 19)
  message(FATAL_ERROR "Cresset builds with clang 19 (docs/adr/0001-clang-19.md): run ./dev build, or set CMAKE_CXX_COMPILER=clang++-19")
endif()

set(CMAKE_CXX_STANDARD 20)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
set(CMAKE_RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/bin)

set(CR_SANITIZE "" CACHE STRING "Sanitizers, as -fsanitize= takes them: address,undefined or thread")
option(CR_FUZZ "Build the libFuzzer targets" OFF)

add_compile_options(-Wall -Wextra -Wshadow -Wconversion -Wnon-virtual-dtor -Wthread-safety -Werror)
add_link_options(-fuse-ld=lld-19)
if(CR_SANITIZE)
  # All that a report needs; -O2 and -g take a fifth longer to build.
  add_compile_options(-O1 -gline-tables-only
    -fsanitize=${CR_SANITIZE} -fno-omit-frame-pointer -fno-sanitize-recover=all)
  add_link_options(-fsanitize=${CR_SANITIZE})
endif()
if(CR_FUZZ)
  add_compile_options(-fsanitize=fuzzer-no-link)
endif()

find_package(Boost 1.81 EXACT REQUIRED)
find_package(fmt 9 REQUIRED)
find_package(SQLite3 REQUIRED)
find_package(yaml-cpp REQUIRED)
find_package(OpenSSL REQUIRED)
find_package(CLI11 2.1 REQUIRED)
find_package(GTest REQUIRED)
find_package(Threads REQUIRED)
# The archive, not the shared library: of it comes only the reader of tar, and nothing that other
# formats need.
find_library(CR_LIBARCHIVE NAMES libarchive.a REQUIRED)

include(CTest)
include(GoogleTest)

# cr_library(NAME dag SOURCES plan.cc … TESTS plan_test.cc … FUZZ plan_fuzz.cc … DEPS cresset_model …)
# makes cresset_dag, and cresset_dag_test when there are tests. DEPS are PUBLIC; PRIVATE_DEPS stay
# inside. A fuzz target is named after its file; its corpus is tests/fuzz/corpus/<name>.
function(cr_library)
  cmake_parse_arguments(ARG "" "NAME" "SOURCES;TESTS;FUZZ;DEPS;PRIVATE_DEPS;TEST_DEPS" ${ARGN})
  cr_refuse_unknown("cr_library(${ARG_NAME})" "${ARG_UNPARSED_ARGUMENTS}")
  set(target cresset_${ARG_NAME})
  if(ARG_SOURCES)
    add_library(${target} STATIC ${ARG_SOURCES})
    set(visibility PUBLIC)
    target_link_libraries(${target} PRIVATE ${ARG_PRIVATE_DEPS})
  else()
    add_library(${target} INTERFACE)
    set(visibility INTERFACE)
  endif()
  target_include_directories(${target} ${visibility} ${CMAKE_SOURCE_DIR}/src)
  target_link_libraries(${target} ${visibility} ${ARG_DEPS})
  if(ARG_TESTS AND BUILD_TESTING)
    cr_test(${target}_test ${ARG_NAME} SOURCES ${ARG_TESTS} DEPS ${target} ${ARG_TEST_DEPS})
  endif()
  if(CR_FUZZ)
    foreach(source IN LISTS ARG_FUZZ)
      cr_fuzz_target(${source} ${target})
    endforeach()
  endif()
endfunction()

# cr_binary(NAME cresset SOURCES main.cc … DEPS cresset_cli …) makes build/<preset>/bin/<NAME>.
function(cr_binary)
  cmake_parse_arguments(ARG "" "NAME" "SOURCES;DEPS" ${ARGN})
  cr_refuse_unknown("cr_binary(${ARG_NAME})" "${ARG_UNPARSED_ARGUMENTS}")
  add_executable(${ARG_NAME} ${ARG_SOURCES})
  target_include_directories(${ARG_NAME} PRIVATE ${CMAKE_SOURCE_DIR}/src)
  target_link_libraries(${ARG_NAME} PRIVATE ${ARG_DEPS})
endfunction()

# cr_test(TARGET PREFIX SOURCES … DEPS …): one ctest test for each TEST of the sources.
function(cr_test target prefix)
  cmake_parse_arguments(ARG "" "" "SOURCES;DEPS" ${ARGN})
  add_executable(${target} ${ARG_SOURCES})
  target_include_directories(${target} PRIVATE ${CMAKE_SOURCE_DIR}/src)
  target_link_libraries(${target} PRIVATE ${ARG_DEPS} GTest::gmock GTest::gtest_main)
  # A keeper kills what carries the name of an attempt that it lost, and tests share those names.
  set(lock "")
  if(prefix STREQUAL "adapter_process")
    set(lock RESOURCE_LOCK keeper)
  endif()
  gtest_discover_tests(${target} TEST_PREFIX ${prefix}. DISCOVERY_TIMEOUT 60
    PROPERTIES LABELS unit TIMEOUT 120 ${lock})
endfunction()

function(cr_fuzz_target source library)
  get_filename_component(name ${source} NAME_WE)
  add_executable(${name} ${source})
  target_link_libraries(${name} PRIVATE ${library})
  target_link_options(${name} PRIVATE -fsanitize=fuzzer)
  set_property(GLOBAL APPEND PROPERTY CR_FUZZ_TARGETS ${name})
endfunction()

# Leaves the names of the fuzz targets where ./dev fuzz finds them, one a line.
function(cr_list_fuzz_targets)
  get_property(names GLOBAL PROPERTY CR_FUZZ_TARGETS)
  list(JOIN names "\n" lines)
  file(WRITE ${CMAKE_BINARY_DIR}/fuzz_targets.txt "${lines}\n")
endfunction()

function(cr_refuse_unknown where words)
  if(words)
    message(FATAL_ERROR "${where} does not understand: ${words}")
  endif()
endfunction()
