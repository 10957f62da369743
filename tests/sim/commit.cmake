# Writes FILE with the commit that is being built, for the simulator's first line; touches nothing
# when it is the same as before.
execute_process(COMMAND git describe --always --dirty --abbrev=12
  WORKING_DIRECTORY "${SOURCE}" OUTPUT_VARIABLE commit ERROR_QUIET
  OUTPUT_STRIP_TRAILING_WHITESPACE)
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
