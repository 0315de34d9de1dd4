# cmake -D COMPILER= -D SCRATCH= -P bites.cmake
#
# Proof that check.cmake finds what it looks for: it is given files that it must accept or refuse.
cmake_minimum_required(VERSION 3.25)

set(sound "// expect: cannot be dereferenced|invalid type argument
#ifdef ALLOWED
int value = 1;
#else
int value = *1;
#endif
")
string(REPLACE "int value = *1;" "#warning cannot be dereferenced" compiles "${sound}")
string(REPLACE "= 1" "= +" never_compiles "${sound}")
string(REPLACE "cannot be dereferenced|invalid type argument" "some other words" other_reason "${sound}")
string(REPLACE "// expect" "// wants" no_expectation "${sound}")

foreach(name IN ITEMS sound compiles never_compiles other_reason no_expectation)
  set(file "${SCRATCH}/${name}.cpp")
  file(WRITE "${file}" "${${name}}")
  execute_process(COMMAND "${CMAKE_COMMAND}" -D "COMPILER=${COMPILER}" -D "FILE=${file}"
    -P "${CMAKE_CURRENT_LIST_DIR}/check.cmake" RESULT_VARIABLE status ERROR_VARIABLE errors)
  if(name STREQUAL "sound" AND NOT status EQUAL 0)
    message(SEND_ERROR "refused a sound file\n${errors}")
  elseif(NOT name STREQUAL "sound" AND status EQUAL 0)
    message(SEND_ERROR "accepted the file ${name}")
  endif()
endforeach()
