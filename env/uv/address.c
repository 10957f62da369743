/* Numeric addresses to and from text. Resolves no names. */
#include "env/uv/address.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <uv.h>

/* 1 to 5 digits and nothing else, at most 65535; -1 otherwise. */
static int parse_port(const char *text)
{
    size_t size = strlen(text);
    if (size < 1 || size > 5 || strspn(text, "0123456789") != size) {
        return -1;
    }
    long port = strtol(text, NULL, 10);
    return port <= UINT16_MAX ? (int)port : -1;
}

bool env_address_parse(const char *text, struct sockaddr_storage *ret_address)
{
    char host[ENV_ADDRESS_MAX];
    bool v6 = text[0] == '[';
    const char *start = v6 ? text + 1 : text;
    const char *end = v6 ? strstr(start, "]:") : strrchr(start, ':');
    size_t size = end != NULL ? (size_t)(end - start) : 0;
    if (size == 0 || size >= sizeof(host)) {
        return false;
    }
    memcpy(host, start, size);
    host[size] = '\0';
    int port = parse_port(end + (v6 ? 2 : 1));
    if (port < 0) {
        return false;
    }
    memset(ret_address, 0, sizeof(*ret_address));
    int rc = v6 ? uv_ip6_addr(host, port, (struct sockaddr_in6 *)ret_address)
                : uv_ip4_addr(host, port, (struct sockaddr_in *)ret_address);
    return rc == 0;
}

void env_address_format(const struct sockaddr_storage *address, char *ret_text)
{
    char host[INET6_ADDRSTRLEN];
    if (address->ss_family == AF_INET) {
        const struct sockaddr_in *v4 = (const struct sockaddr_in *)address;
        (void)uv_ip4_name(v4, host, sizeof(host));
        (void)snprintf(ret_text, ENV_ADDRESS_MAX, "%s:%u", host, ntohs(v4->sin_port));
    } else if (address->ss_family == AF_INET6) {
        const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)address;
        (void)uv_ip6_name(v6, host, sizeof(host));
        (void)snprintf(ret_text, ENV_ADDRESS_MAX, "[%s]:%u", host, ntohs(v6->sin6_port));
    } else {
        (void)snprintf(ret_text, ENV_ADDRESS_MAX, "?");
    }
}

socklen_t env_address_size(const struct sockaddr_storage *address)
{
    return address->ss_family == AF_INET6 ? sizeof(struct sockaddr_in6)
                                          : sizeof(struct sockaddr_in);
}
