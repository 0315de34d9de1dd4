# microlith_install(): libraries, headers, programs, and the package that find_package(microlith)
# finds: targets, version, and the Find modules that its dependencies need. Call it last: it installs
# what has been made into a module until then.
include(GNUInstallDirs)
include(CMakePackageConfigHelpers)

set(MICROLITH_CMAKE_DIR "${CMAKE_CURRENT_LIST_DIR}")

function(microlith_install)
  set(package_dir "${CMAKE_INSTALL_LIBDIR}/cmake/microlith")

  get_property(modules GLOBAL PROPERTY MICROLITH_MODULES)
  list(TRANSFORM modules PREPEND microlith_)
  install(TARGETS ${modules} EXPORT microlith FILE_SET HEADERS)
  install(EXPORT microlith NAMESPACE microlith:: FILE microlith-targets.cmake
          DESTINATION "${package_dir}")

  foreach(program IN ITEMS auth-node microlith)
    if(TARGET ${program})
      install(TARGETS ${program})
    endif()
  endforeach()

  configure_package_config_file("${MICROLITH_CMAKE_DIR}/microlith-config.cmake.in"
    "${PROJECT_BINARY_DIR}/microlith-config.cmake" INSTALL_DESTINATION "${package_dir}"
    NO_SET_AND_CHECK_MACRO)
  # Before 1.0 every minor version may change the interface.
  write_basic_package_version_file("${PROJECT_BINARY_DIR}/microlith-config-version.cmake"
    COMPATIBILITY SameMinorVersion)
  install(FILES
    "${PROJECT_BINARY_DIR}/microlith-config.cmake"
    "${PROJECT_BINARY_DIR}/microlith-config-version.cmake"
    "${MICROLITH_CMAKE_DIR}/FindCAF.cmake"
    "${MICROLITH_CMAKE_DIR}/FindLMDB.cmake"
    "${MICROLITH_CMAKE_DIR}/FindxxHash.cmake"
    DESTINATION "${package_dir}")
endfunction()
