# The flags of our own code (tenure_flags), and of all code, libraft too (tenure_sanitize).

add_library(tenure_sanitize INTERFACE)
if(TENURE_SANITIZE STREQUAL "address")
  set(sanitize_flags -fsanitize=address,undefined -fno-sanitize-recover=all
    -fno-omit-frame-pointer)
elseif(TENURE_SANITIZE STREQUAL "thread")
  set(sanitize_flags -fsanitize=thread -fno-omit-frame-pointer)
elseif(TENURE_SANITIZE STREQUAL "")
  set(sanitize_flags)
else()
  message(FATAL_ERROR "TENURE_SANITIZE is \"${TENURE_SANITIZE}\": use address, thread or nothing")
endif()
if(TENURE_FUZZ)
  if(NOT CMAKE_C_COMPILER_ID MATCHES "Clang")
    message(FATAL_ERROR "TENURE_FUZZ needs clang (configure with the preset \"fuzz\")")
  endif()
  list(APPEND sanitize_flags -fsanitize=fuzzer-no-link)
endif()
target_compile_options(tenure_sanitize INTERFACE ${sanitize_flags})
target_link_options(tenure_sanitize INTERFACE ${sanitize_flags})

add_library(tenure_flags INTERFACE)
target_link_libraries(tenure_flags INTERFACE tenure_sanitize)
target_compile_options(tenure_flags INTERFACE
  -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wswitch-enum -Wstrict-prototypes
  -Wmissing-prototypes -Wvla -Wundef -Wformat=2 -Werror -fno-common)
target_include_directories(tenure_flags INTERFACE
  "${PROJECT_SOURCE_DIR}" "${PROJECT_BINARY_DIR}/generated")
file(MAKE_DIRECTORY "${PROJECT_BINARY_DIR}/generated")

set(CMAKE_C_STANDARD 11)
set(CMAKE_C_STANDARD_REQUIRED ON)
set(CMAKE_C_EXTENSIONS OFF)
