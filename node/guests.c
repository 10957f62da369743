/* Counts connections by certificate. */
#include "node/guests.h"

#include <stdlib.h>
#include <string.h>

static struct node_guest *find(const struct list *guests, const char *tenant, const char *name)
{
    LIST_FOR_EACH(at, guests)
    {
        struct node_guest *guest = LIST_ENTRY(at, struct node_guest, in_guests);
        if (strcmp(guest->names, tenant) == 0 &&
            strcmp(guest->names + strlen(guest->names) + 1, name) == 0) {
            return guest;
        }
    }
    return NULL;
}

static struct node_guest *create(struct list *guests, const char *tenant, const char *name)
{
    size_t tenant_size = strlen(tenant) + 1, name_size = strlen(name) + 1;
    struct node_guest *guest = malloc(sizeof(*guest) + tenant_size + name_size);
    if (guest == NULL) {
        return NULL;
    }
    guest->count = 0;
    memcpy(guest->names, tenant, tenant_size);
    memcpy(guest->names + tenant_size, name, name_size);
    list_append(guests, &guest->in_guests);
    return guest;
}

struct node_guest *node_guest_enter(struct list *guests, const char *tenant, const char *name,
                                    size_t most)
{
    struct node_guest *guest = find(guests, tenant, name);
    if (guest == NULL && most > 0) {
        guest = create(guests, tenant, name);
    }
    if (guest == NULL || guest->count >= most) {
        return NULL;
    }
    guest->count++;
    return guest;
}

void node_guest_leave(struct node_guest *guest)
{
    if (guest == NULL) {
        return;
    }
    guest->count--;
    if (guest->count == 0) {
        list_remove(&guest->in_guests);
        free(guest);
    }
}
