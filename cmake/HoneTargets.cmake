# One folder, one target: hone_library(NAME SOURCES … LINKS …) and hone_test(NAME SOURCES … LINKS …).
include_guard()

# Headers of others that many files include, compiled once: hone_precompile(NAME HEADERS … LINKS …). Targets made where
# HONE_PRECOMPILED is NAME use them; they must be compiled with the same options. Sources include what they need all the
# same: CMAKE_DISABLE_PRECOMPILE_HEADERS=ON builds without, and lint reads every file without.
function(hone_precompile name)
  cmake_parse_arguments(ARG "" "" "HEADERS;LINKS" ${ARGN})
  file(CONFIGURE OUTPUT "${name}.cpp" CONTENT "")
  add_library(${name} OBJECT "${CMAKE_CURRENT_BINARY_DIR}/${name}.cpp")
  target_include_directories(${name} PRIVATE "${PROJECT_SOURCE_DIR}")
  target_link_libraries(${name} PRIVATE ${ARG_LINKS})
  target_precompile_headers(${name} PRIVATE ${ARG_HEADERS})
endfunction()

function(hone_library name)
  cmake_parse_arguments(ARG "" "" "SOURCES;LINKS;PRIVATE_LINKS" ${ARGN})
  add_library(${name} STATIC ${ARG_SOURCES})
  target_include_directories(${name} PUBLIC "${PROJECT_SOURCE_DIR}")
  target_link_libraries(${name} PUBLIC ${ARG_LINKS} PRIVATE ${ARG_PRIVATE_LINKS})
  if(HONE_PRECOMPILED)
    target_precompile_headers(${name} REUSE_FROM ${HONE_PRECOMPILED})
  endif()
endfunction()

# Registers each test case with ctest under its own name.
function(hone_test name)
  cmake_parse_arguments(ARG "" "" "SOURCES;LINKS" ${ARGN})
  add_executable(${name} ${ARG_SOURCES})
  target_include_directories(${name} PRIVATE "${PROJECT_SOURCE_DIR}")
  target_link_libraries(${name} PRIVATE ${ARG_LINKS} GTest::gtest GTest::gtest_main)
  if(HONE_PRECOMPILED)
    target_precompile_headers(${name} REUSE_FROM ${HONE_PRECOMPILED})
  endif()
  gtest_discover_tests(${name} PROPERTIES TIMEOUT 600 DISCOVERY_TIMEOUT 60)
endfunction()
