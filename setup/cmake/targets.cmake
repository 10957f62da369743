# How a folder declares what it builds. The only ways to add a target to the tree.

# tenure_folder(FOLDER): adds FOLDER when it has a CMakeLists.txt.
function(tenure_folder folder)
  if(EXISTS "${CMAKE_CURRENT_SOURCE_DIR}/${folder}/CMakeLists.txt")
    add_subdirectory("${folder}")
  endif()
endfunction()

# tenure_sub_folders(): adds each direct sub folder that has a CMakeLists.txt, in name order.
function(tenure_sub_folders)
  file(GLOB lists RELATIVE "${CMAKE_CURRENT_SOURCE_DIR}" CONFIGURE_DEPENDS "*/CMakeLists.txt")
  foreach(list IN LISTS lists)
    get_filename_component(folder "${list}" DIRECTORY)
    add_subdirectory("${folder}")
  endforeach()
endfunction()

# tenure_library(NAME [GNU] SOURCES file... [DEPS target...])
# A static archive under our flags. Includes are root-relative; generated files are found in the
# build's folder "generated". GNU defines _GNU_SOURCE, for code that makes system calls.
function(tenure_library name)
  cmake_parse_arguments(arg "GNU" "" "SOURCES;DEPS" ${ARGN})
  _tenure_check_arguments(${name})
  add_library(${name} STATIC ${arg_SOURCES})
  target_link_libraries(${name} PUBLIC ${arg_DEPS} PRIVATE tenure_flags)
  target_include_directories(${name} PUBLIC
    "${PROJECT_SOURCE_DIR}" "${PROJECT_BINARY_DIR}/generated")
  _tenure_gnu(${name})
  # For the gate on symbols, tests/tidy.
  file(RELATIVE_PATH folder "${PROJECT_SOURCE_DIR}" "${CMAKE_CURRENT_SOURCE_DIR}")
  set_property(GLOBAL APPEND PROPERTY TENURE_LIBRARIES ${name})
  set_property(GLOBAL PROPERTY TENURE_FOLDER_OF_${name} "${folder}")
endfunction()

# tenure_executable(NAME [GNU] SOURCES file... [DEPS target...])
function(tenure_executable name)
  cmake_parse_arguments(arg "GNU" "" "SOURCES;DEPS" ${ARGN})
  _tenure_check_arguments(${name})
  add_executable(${name} ${arg_SOURCES})
  target_link_libraries(${name} PRIVATE ${arg_DEPS} tenure_flags)
  _tenure_gnu(${name})
endfunction()

# tenure_unit_test(NAME [GNU] SOURCES file... [DEPS target...] [LABELS label...] [TIMEOUT seconds])
# A cmocka program that ctest runs under the label "unit" (and LABELS, for example "threads").
# It works in a folder of its own in the build.
function(tenure_unit_test name)
  cmake_parse_arguments(arg "GNU" "TIMEOUT" "SOURCES;DEPS;LABELS" ${ARGN})
  _tenure_check_arguments(${name})
  add_executable(${name} ${arg_SOURCES})
  target_link_libraries(${name} PRIVATE ${arg_DEPS} dep_cmocka tenure_flags)
  _tenure_gnu(${name})
  if(NOT arg_TIMEOUT)
    set(arg_TIMEOUT 60)
  endif()
  set(folder "${PROJECT_BINARY_DIR}/run/${name}")
  file(MAKE_DIRECTORY "${folder}")
  add_test(NAME ${name} COMMAND ${name} WORKING_DIRECTORY "${folder}")
  set_tests_properties(${name} PROPERTIES LABELS "unit;${arg_LABELS}" TIMEOUT ${arg_TIMEOUT})
endfunction()

# tenure_fuzzer(NAME SOURCES file... [DEPS target...])
# A libFuzzer program with LLVMFuzzerTestOneInput; only the preset "fuzz" builds it.
function(tenure_fuzzer name)
  cmake_parse_arguments(arg "GNU" "" "SOURCES;DEPS" ${ARGN})
  _tenure_check_arguments(${name})
  if(NOT TENURE_FUZZ)
    return()
  endif()
  add_executable(${name} ${arg_SOURCES})
  target_link_libraries(${name} PRIVATE ${arg_DEPS} tenure_flags)
  target_link_options(${name} PRIVATE -fsanitize=fuzzer)
  _tenure_gnu(${name})
endfunction()

# tenure_script_test(NAME COMMAND word... LABELS label... [TIMEOUT seconds])
# Registers a program or script with ctest; COMMAND runs in the root of the repository.
function(tenure_script_test name)
  cmake_parse_arguments(arg "" "TIMEOUT" "COMMAND;LABELS" ${ARGN})
  if(NOT arg_COMMAND OR NOT arg_LABELS OR arg_UNPARSED_ARGUMENTS)
    message(FATAL_ERROR "${name}: COMMAND and LABELS, and nothing else: ${arg_UNPARSED_ARGUMENTS}")
  endif()
  if(NOT arg_TIMEOUT)
    set(arg_TIMEOUT 120)
  endif()
  add_test(NAME ${name} COMMAND ${arg_COMMAND} WORKING_DIRECTORY "${PROJECT_SOURCE_DIR}"
    COMMAND_EXPAND_LISTS)
  set_tests_properties(${name} PROPERTIES LABELS "${arg_LABELS}" TIMEOUT ${arg_TIMEOUT})
endfunction()

macro(_tenure_check_arguments name)
  if(NOT arg_SOURCES OR arg_UNPARSED_ARGUMENTS)
    message(FATAL_ERROR "${name}: SOURCES missing, or unknown words: ${arg_UNPARSED_ARGUMENTS}")
  endif()
endmacro()

macro(_tenure_gnu name)
  if(arg_GNU)
    target_compile_definitions(${name} PRIVATE _GNU_SOURCE)
  endif()
endmacro()
