# find_package(Tenure): the target Tenure::tenure, the shared library. The archive is pkg-config's.
include("${CMAKE_CURRENT_LIST_DIR}/TenureTargets.cmake")
