# Finds CAF as Debian ships it (0.17.6 has no CMake config). Defines CAF::core, CAF::io.
find_path(CAF_INCLUDE_DIR caf/all.hpp)
set(_caf_required CAF_INCLUDE_DIR)
foreach(_component IN ITEMS core io)
  find_library(CAF_${_component}_LIBRARY caf_${_component})
  list(APPEND _caf_required CAF_${_component}_LIBRARY)
endforeach()
include(FindPackageHandleStandardArgs)
find_package_handle_standard_args(CAF REQUIRED_VARS ${_caf_required}
  REASON_FAILURE_MESSAGE "install libcaf-dev (cmake/bootstrap does)")
if(CAF_FOUND)
  find_package(Threads REQUIRED)
  foreach(_component IN ITEMS core io)
    if(NOT TARGET CAF::${_component})
      add_library(CAF::${_component} UNKNOWN IMPORTED)
      set_target_properties(CAF::${_component} PROPERTIES
        IMPORTED_LOCATION "${CAF_${_component}_LIBRARY}"
        INTERFACE_SYSTEM_INCLUDE_DIRECTORIES "${CAF_INCLUDE_DIR}")
    endif()
  endforeach()
  target_link_libraries(CAF::core INTERFACE Threads::Threads)
  target_link_libraries(CAF::io INTERFACE CAF::core)
endif()
mark_as_advanced(CAF_INCLUDE_DIR CAF_core_LIBRARY CAF_io_LIBRARY)
