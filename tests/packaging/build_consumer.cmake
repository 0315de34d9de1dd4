# cmake -D WAY= -D TREE= -D BUILD= -D GENERATOR= -D COMPILER= -D LAUNCHER= -D SCRATCH= \
#   -P build_consumer.cmake
#
# Builds the project consumer/ against an installed copy (WAY=installed) or against the tree itself
# (WAY=subdirectory), and runs its program.
cmake_minimum_required(VERSION 3.25)

function(run)
  execute_process(COMMAND ${ARGN} RESULT_VARIABLE status OUTPUT_VARIABLE output ERROR_VARIABLE output)
  if(NOT status EQUAL 0)
    list(JOIN ARGN " " command)
    message(FATAL_ERROR "failed (${status}): ${command}\n${output}")
  endif()
endfunction()

set(consumer "${CMAKE_CURRENT_LIST_DIR}/consumer")
set(build "${SCRATCH}/${WAY}")
set(options -G "${GENERATOR}" -D "CMAKE_CXX_COMPILER=${COMPILER}" -D "MICROLITH_WAY=${WAY}")

if(WAY STREQUAL "installed")
  set(prefix "${SCRATCH}/prefix")
  file(REMOVE_RECURSE "${prefix}" "${build}")
  # What is installed was decided when the tree was configured; headers may have changed since.
  run("${CMAKE_COMMAND}" "${BUILD}")
  run("${CMAKE_COMMAND}" --install "${BUILD}" --prefix "${prefix}")
  list(APPEND options -D "CMAKE_PREFIX_PATH=${prefix}" -D "MICROLITH_HEADERS=${prefix}/include")
else()
  # Kept from one run to the next: nothing but what has changed is compiled again.
  list(APPEND options -D "MICROLITH_TREE=${TREE}")
endif()

# For the consumer alone: the tree that is configured above would keep it for ever. A list, which
# would not survive being an argument.
set(ENV{CMAKE_CXX_COMPILER_LAUNCHER} "${LAUNCHER}")
# The tree as a subdirectory compiles to the same in every preset: ccache, where it is there, sees that
# once paths are relative.
set(ENV{CCACHE_BASEDIR} "${TREE}")
run("${CMAKE_COMMAND}" -S "${consumer}" -B "${build}" ${options})
run("${CMAKE_COMMAND}" --build "${build}" --parallel 2)
file(REMOVE_RECURSE "${SCRATCH}/${WAY} data")
file(MAKE_DIRECTORY "${SCRATCH}/${WAY} data")
run("${build}/consumer" "${SCRATCH}/${WAY} data")
