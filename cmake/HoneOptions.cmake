# Language, warnings and sanitizers for every target, and the options a user may set.
set(CMAKE_CXX_STANDARD 20)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_C_STANDARD 11)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)
set(CMAKE_CXX_VISIBILITY_PRESET hidden)
set(CMAKE_VISIBILITY_INLINES_HIDDEN ON)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
# Programs together in bin/, as they are after installation: `hone` looks for `hone-worker` beside itself.
set(CMAKE_RUNTIME_OUTPUT_DIRECTORY "${CMAKE_BINARY_DIR}/bin")
set(CMAKE_LIBRARY_OUTPUT_DIRECTORY "${CMAKE_BINARY_DIR}/lib")
# No program needs a library of ours, and the system's are where the loader looks. CMake's own search path for the build
# tree ends with an empty entry, which means the current folder: slow, and somebody else's choice.
set(CMAKE_SKIP_RPATH ON)

option(HONE_BUILD_COMPILER "Build the compiler, the worker and the command-line driver (needs LLVM 19, onnx, protobuf)" ON)
option(HONE_BUILD_SERVICE "Build the coordinator, the worker and the client (needs gRPC, SQLite; the worker builds models only with HONE_BUILD_COMPILER)" ON)
option(HONE_BUILD_TESTS "Build the tests" ON)
set(HONE_SANITIZE "" CACHE STRING "Sanitizers, as for -fsanitize= (for example address,undefined)")

find_program(CCACHE_PROGRAM ccache)
if(CCACHE_PROGRAM)
  set(CMAKE_C_COMPILER_LAUNCHER "${CCACHE_PROGRAM}")
  # ccache uses precompiled headers only where it may overlook macros that changed before them, which is nothing that
  # happens here: the options are the same for all that share one.
  set(CMAKE_CXX_COMPILER_LAUNCHER "${CMAKE_COMMAND}" -E env CCACHE_SLOPPINESS=pch_defines,time_macros "${CCACHE_PROGRAM}")
  if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
    add_compile_options($<$<COMPILE_LANGUAGE:CXX>:-fpch-preprocess>)
  endif()
endif()

add_compile_options(-Wall -Wextra -Werror -Wno-unused-parameter)
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
  # gcc 12 warns of copies inside std::string that overlap or leave its bounds and cannot happen (its bugs 105329, 105651).
  add_compile_options(-Wno-restrict -Wno-array-bounds -Wno-stringop-overflow -Wno-stringop-overread)
endif()
if(CMAKE_CXX_COMPILER_ID STREQUAL "Clang" AND CMAKE_CXX_COMPILER_VERSION VERSION_GREATER_EQUAL 18)
  # Names of templates as the libraries have them that Debian 12's compilers built.
  add_compile_options($<$<COMPILE_LANGUAGE:CXX>:-fclang-abi-compat=17>)
endif()
if(CMAKE_CXX_COMPILER_ID STREQUAL "Clang")
  # What is guarded by a lock is touched only while it is held (common/mutex.h).
  add_compile_options($<$<COMPILE_LANGUAGE:CXX>:-Wthread-safety>)
endif()
# gRPC's users get it, and precompiled headers want it everywhere or nowhere.
add_compile_options(-pthread)
# The same floating point on every builder: no contraction that the source does not ask for.
add_compile_options(-ffp-contract=off)
if(HONE_SANITIZE)
  add_compile_options(-fsanitize=${HONE_SANITIZE} -fno-omit-frame-pointer -fno-sanitize-recover=all)
  add_link_options(-fsanitize=${HONE_SANITIZE})
  add_compile_definitions(HONE_SANITIZED)
endif()
