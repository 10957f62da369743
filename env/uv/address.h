/* Numeric addresses as text: "127.0.0.1:7000", "[::1]:7000". Resolves no names. */
#ifndef ENV_UV_ADDRESS_H
#define ENV_UV_ADDRESS_H

#include "env/net.h"

#include <sys/socket.h>

/* False when `text` is not a numeric address with a port. */
bool env_address_parse(const char *text, struct sockaddr_storage *ret_address);
/* `ret_text` holds ENV_ADDRESS_MAX; "?" for what is neither IPv4 nor IPv6. */
void env_address_format(const struct sockaddr_storage *address, char *ret_text);
socklen_t env_address_size(const struct sockaddr_storage *address);

#endif
