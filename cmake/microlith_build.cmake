# Language level, warnings, sanitizers and output directories: all that every target shares.
# Carried by an interface target, so that a project that adds microlith as a subdirectory keeps
# its own settings.

add_library(microlith_build INTERFACE)
target_compile_features(microlith_build INTERFACE cxx_std_20)
target_compile_options(microlith_build INTERFACE
  -Wall -Wextra -Wpedantic -Wconversion $<$<BOOL:${MICROLITH_WERROR}>:-Werror>)

if(MICROLITH_SANITIZE)
  # Every finding ends the program. The null check does so at run time instead of compile time
  # (sanitizer_options.cpp.in), because only then can a finding in somebody else's header be
  # suppressed.
  target_compile_options(microlith_build INTERFACE
    -fsanitize=${MICROLITH_SANITIZE} -fno-sanitize-recover=all -fno-omit-frame-pointer)
  target_link_options(microlith_build INTERFACE -fsanitize=${MICROLITH_SANITIZE})
  if(MICROLITH_SANITIZE MATCHES "undefined")
    target_compile_options(microlith_build INTERFACE -fsanitize-recover=null)
  endif()
  set(MICROLITH_UBSAN_SUPPRESSIONS "${CMAKE_CURRENT_LIST_DIR}/ubsan.suppressions")
  configure_file("${CMAKE_CURRENT_LIST_DIR}/sanitizer_options.cpp.in"
                 "${PROJECT_BINARY_DIR}/sanitizer_options.cpp" @ONLY)
  add_library(microlith_sanitizer_options OBJECT "${PROJECT_BINARY_DIR}/sanitizer_options.cpp")
  # Every program carries them, so that it needs no environment to run.
  target_sources(microlith_build INTERFACE "$<$<STREQUAL:$<TARGET_PROPERTY:TYPE>,EXECUTABLE>:\
$<TARGET_OBJECTS:microlith_sanitizer_options>>")
endif()

if(PROJECT_IS_TOP_LEVEL)
  if(NOT CMAKE_BUILD_TYPE)
    set(CMAKE_BUILD_TYPE Release CACHE STRING "" FORCE)
  endif()
  set(CMAKE_RUNTIME_OUTPUT_DIRECTORY "${PROJECT_BINARY_DIR}/bin")
  set(CMAKE_CXX_EXTENSIONS OFF)
  set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
  find_program(MICROLITH_CCACHE ccache)
  if(MICROLITH_CCACHE AND NOT CMAKE_CXX_COMPILER_LAUNCHER)
    set(CMAKE_CXX_COMPILER_LAUNCHER "${CMAKE_CURRENT_LIST_DIR}/cached_compile" "${MICROLITH_CCACHE}")
    if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
      target_compile_options(microlith_build INTERFACE -fpch-preprocess)
    endif()
  endif()
endif()
