# The switches of a build. The presets set them; nothing else in the tree looks at the build type.

if(NOT CMAKE_BUILD_TYPE)
  set(CMAKE_BUILD_TYPE Debug CACHE STRING "Debug, RelWithDebInfo or Plain" FORCE)
endif()

# "address", "thread" or empty. "address" stands for address + undefined behaviour.
set(TENURE_SANITIZE "" CACHE STRING "Sanitizer: empty, address or thread")
set_property(CACHE TENURE_SANITIZE PROPERTY STRINGS "" address thread)

option(TENURE_TESTS "Build the tests; a package does without" ON)

option(TENURE_FUZZ "Build the libFuzzer targets (needs clang)" OFF)

# Assertions are on in every build, release too: CMake's own switch against them is taken out.
set(CMAKE_C_FLAGS_DEBUG "-g3 -O1" CACHE STRING "Flags of the Debug build" FORCE)
set(CMAKE_C_FLAGS_RELWITHDEBINFO "-g -O2" CACHE STRING "Flags of the release build" FORCE)
set(CMAKE_C_FLAGS_PLAIN "-g -O0" CACHE STRING "Not optimized at all" FORCE)
set(CMAKE_EXE_LINKER_FLAGS_PLAIN "" CACHE STRING "Nothing" FORCE)
set(CMAKE_C_FLAGS_RELEASE "-g -O2" CACHE STRING "Same as RelWithDebInfo" FORCE)

set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
