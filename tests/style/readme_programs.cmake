# A code block of a README.md that begins
#
#     ```cpp
#     // compiled: NAME
#
# is a source of its own: readme_NAME is built with everything else. One that holds `int main` is
# linked against microlith::actors, and the test readme/NAME runs it in an empty directory.

# Writes every marked block of `readme` below `directory`; their files in `result`.
function(microlith_readme_sources readme directory result)
  set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS "${readme}")
  file(READ "${readme}" text)
  # Semicolons and brackets mean something in CMake's lists.
  string(REPLACE ";" "<semicolon>" text "${text}")
  string(REPLACE "[" "<open>" text "${text}")
  string(REPLACE "]" "<close>" text "${text}")
  string(REPLACE "\n" ";" lines "${text}")
  set(sources "")
  set(source "")
  set(fence "")
  set(code "")
  foreach(line IN LISTS lines)
    if(source AND line MATCHES "^```")
      string(REPLACE "<semicolon>" ";" code "${code}")
      string(REPLACE "<open>" "[" code "${code}")
      string(REPLACE "<close>" "]" code "${code}")
      file(CONFIGURE OUTPUT "${source}" CONTENT "${code}" @ONLY)
      list(APPEND sources "${source}")
      set(source "")
      set(code "")
    elseif(source)
      string(APPEND code "${line}\n")
    elseif(fence STREQUAL "```cpp" AND line MATCHES "^// compiled: ([a-z0-9_]+)$")
      set(source "${directory}/${CMAKE_MATCH_1}.cpp")
    endif()
    set(fence "${line}")
  endforeach()
  set(${result} "${sources}" PARENT_SCOPE)
endfunction()

file(GLOB readmes CONFIGURE_DEPENDS
  "${PROJECT_SOURCE_DIR}/README.md" "${PROJECT_SOURCE_DIR}/*/README.md"
  "${PROJECT_SOURCE_DIR}/apps/*/README.md")
foreach(readme IN LISTS readmes)
  microlith_readme_sources("${readme}" "${CMAKE_CURRENT_BINARY_DIR}" sources)
  foreach(source IN LISTS sources)
    get_filename_component(name "${source}" NAME_WE)
    set(target readme_${name})
    file(STRINGS "${source}" has_main REGEX "^int main\\(")
    if(NOT has_main)
      add_library(${target} OBJECT "${source}")
    else()
      add_executable(${target} "${source}")
      set(run_dir "${CMAKE_CURRENT_BINARY_DIR}/${name}")
      add_test(NAME readme/${name} COMMAND "${CMAKE_COMMAND}" -D "PROGRAM=$<TARGET_FILE:${target}>"
        -D "DIRECTORY=${run_dir}" -P "${CMAKE_CURRENT_SOURCE_DIR}/run_in_empty_directory.cmake")
      set_tests_properties(readme/${name} PROPERTIES TIMEOUT ${MICROLITH_TEST_TIMEOUT_S})
    endif()
    target_link_libraries(${target} PRIVATE microlith_build microlith::actors)
  endforeach()
endforeach()
