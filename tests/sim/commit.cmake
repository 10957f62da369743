# Writes FILE with the commit that is being built: the simulator's first line, and the choice of its
# seeds. Touches nothing when it is the same as before.
execute_process(COMMAND git describe --always --dirty --abbrev=12
  WORKING_DIRECTORY "${SOURCE}" OUTPUT_VARIABLE commit ERROR_QUIET
  OUTPUT_STRIP_TRAILING_WHITESPACE)
# Without git at hand: what it would have read.
if(NOT commit AND EXISTS "${SOURCE}/.git/HEAD")
  file(READ "${SOURCE}/.git/HEAD" commit)
  if(commit MATCHES "^ref: ([^\n]+)" AND EXISTS "${SOURCE}/.git/${CMAKE_MATCH_1}")
    file(READ "${SOURCE}/.git/${CMAKE_MATCH_1}" commit)
  endif()
  string(REGEX MATCH "^[0-9a-f]+" commit "${commit}")
  string(LENGTH "${commit}" length)
  if(length GREATER 12)
    string(SUBSTRING "${commit}" 0 12 commit)
  endif()
endif()
if(NOT commit)
  set(commit "unknown")
endif()
set(text "#define SIM_COMMIT \"${commit}\"\n")
if(EXISTS "${FILE}")
  file(READ "${FILE}" before)
endif()
if(NOT "${before}" STREQUAL "${text}")
  file(WRITE "${FILE}" "${text}")
endif()
