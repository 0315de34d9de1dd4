# microlith_module(NAME [PUBLIC library...] [PRIVATE library...])
#
# Makes the folder NAME the library microlith::NAME. Headers and sources lie side by side. Users
# include <microlith/NAME/file.hpp>: the build's include root holds a link to the folder, and the
# headers are a FILE_SET, so that installing yields include/microlith/NAME/.
#
# What is under internal/ is not installed, unless a public header includes it.
function(microlith_module name)
  cmake_parse_arguments(arg "" "" "PUBLIC;PRIVATE" ${ARGN})
  set(root "${PROJECT_BINARY_DIR}/include")
  file(MAKE_DIRECTORY "${root}/microlith")
  file(CREATE_LINK "${CMAKE_CURRENT_SOURCE_DIR}" "${root}/microlith/${name}" SYMBOLIC)

  file(GLOB_RECURSE sources CONFIGURE_DEPENDS RELATIVE "${CMAKE_CURRENT_SOURCE_DIR}" "*.cpp")
  file(GLOB_RECURSE headers CONFIGURE_DEPENDS RELATIVE "${CMAKE_CURRENT_SOURCE_DIR}" "*.hpp")
  _microlith_installed_headers("${name}" "${headers}" headers)
  list(TRANSFORM headers PREPEND "${root}/microlith/${name}/")

  add_library(microlith_${name} STATIC ${sources})
  add_library(microlith::${name} ALIAS microlith_${name})
  target_sources(microlith_${name} PUBLIC FILE_SET HEADERS BASE_DIRS "${root}" FILES ${headers})
  target_link_libraries(microlith_${name} PUBLIC ${arg_PUBLIC}
    PRIVATE $<BUILD_INTERFACE:microlith_build> ${arg_PRIVATE})
  target_compile_features(microlith_${name} PUBLIC cxx_std_20)
  set_target_properties(microlith_${name} PROPERTIES
    EXPORT_NAME ${name}
    POSITION_INDEPENDENT_CODE ON)
  set_property(GLOBAL APPEND PROPERTY MICROLITH_MODULES ${name})
endfunction()

# The public headers among `headers` and those under internal/ that they reach.
function(_microlith_installed_headers name headers result)
  set(internal "${headers}")
  list(FILTER internal INCLUDE REGEX "^internal/")
  set(reached "${headers}")
  list(FILTER reached EXCLUDE REGEX "^internal/")
  set(pending "${reached}")
  while(pending)
    list(POP_FRONT pending header)
    file(STRINGS "${header}" includes REGEX "^ *# *include +<microlith/${name}/internal/")
    foreach(line IN LISTS includes)
      string(REGEX REPLACE ".*<microlith/${name}/([^>]+)>.*" "\\1" included "${line}")
      if(included IN_LIST internal AND NOT included IN_LIST reached)
        list(APPEND reached "${included}")
        list(APPEND pending "${included}")
      endif()
    endforeach()
  endwhile()
  set(${result} "${reached}" PARENT_SCOPE)
endfunction()
