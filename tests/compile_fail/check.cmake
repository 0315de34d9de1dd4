# cmake -D COMPILER= -D INCLUDES= -D FILE= [-D PRECOMPILED=] -P check.cmake
#
# FILE must compile with -DALLOWED, must not without, and the errors must match its `// expect:`.
cmake_minimum_required(VERSION 3.25)

list(TRANSFORM INCLUDES PREPEND "-I")
set(compile "${COMPILER}" -std=c++20 -fsyntax-only ${INCLUDES})
if(PRECOMPILED)
  list(APPEND compile -include "${PRECOMPILED}")
endif()

file(STRINGS "${FILE}" expectation REGEX "^// expect: ")
list(LENGTH expectation count)
if(NOT count EQUAL 1)
  message(FATAL_ERROR "${FILE}: has ${count} lines `// expect: REGEX`; write exactly one")
endif()
string(REGEX REPLACE "^// expect: " "" expectation "${expectation}")

execute_process(COMMAND ${compile} -DALLOWED "${FILE}" RESULT_VARIABLE status ERROR_VARIABLE errors)
if(NOT status EQUAL 0)
  message(FATAL_ERROR "${FILE}: the allowed form does not compile\n${errors}")
endif()

execute_process(COMMAND ${compile} "${FILE}" RESULT_VARIABLE status ERROR_VARIABLE errors)
if(status EQUAL 0)
  message(FATAL_ERROR "${FILE}: compiles; it must not")
endif()
if(NOT errors MATCHES "${expectation}")
  message(FATAL_ERROR "${FILE}: fails for another reason; expected /${expectation}/, got\n${errors}")
endif()
