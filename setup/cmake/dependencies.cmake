# Finds what the distribution provides. Each becomes an imported target with system includes, so
# that our warnings do not apply to foreign headers: dep_uv dep_ssl dep_lz4 dep_msgpack dep_cyaml
# dep_jansson dep_http dep_gnutls dep_cmocka. setup/packages names the packages.
find_package(PkgConfig REQUIRED)

# tenure_dependency(NAME pkg-config-name...): the first name that is known wins (suites differ).
function(tenure_dependency name)
  pkg_search_module(${name} REQUIRED IMPORTED_TARGET GLOBAL ${ARGN})
  # Some packages' descriptions name a relative folder, which means nothing here.
  get_target_property(folders PkgConfig::${name} INTERFACE_INCLUDE_DIRECTORIES)
  if(folders)
    list(FILTER folders INCLUDE REGEX "^/")
    set_target_properties(PkgConfig::${name} PROPERTIES INTERFACE_INCLUDE_DIRECTORIES "${folders}")
  endif()
  add_library(dep_${name} INTERFACE)
  target_link_libraries(dep_${name} INTERFACE PkgConfig::${name})
endfunction()

tenure_dependency(uv libuv)
tenure_dependency(ssl openssl)
tenure_dependency(lz4 liblz4)
tenure_dependency(msgpack msgpack-c msgpack)
tenure_dependency(cyaml libcyaml)
tenure_dependency(jansson jansson)
tenure_dependency(http libmicrohttpd)
tenure_dependency(gnutls gnutls)
tenure_dependency(cmocka cmocka)
