/* Bindings: from where a session may be used, as it was said when it was opened: networks, and the
 * fingerprint of a device or channel. Where a call comes from, the calling service says; nothing
 * here looks at a connection. Nothing changes a binding.
 *
 *  1. Networks and addresses are texts of RFC 4632 and RFC 4291, without zone and without leading
 *     zeros in decimal; a network has no bit set behind its prefix. An IPv4 address that is mapped
 *     into IPv6 is that IPv4 address (RFC 4291, 2.5.5.2), and so is a network of such.
 *  2. A child's networks each lie within one of its parent's, and it has its parent's fingerprint.
 *     What it does not say it has from its parent.
 *  3. An image is the fingerprint and then each network, as short texts.
 */
#include "fsm/machine.h"

#include "base/assert.h"

#include <string.h>

enum { IPV4_BITS = 32, IPV6_BITS = 128, MAPPED_BITS = 96 };

struct network {
    uint8_t address[16]; /* of IPv4: the first four bytes */
    uint32_t bits;
    bool ipv4;
};

/* ---- texts ---- */

/* The part up to the next `mark`, taken off `rest` with it. */
static struct bytes cut(struct bytes *rest, char mark)
{
    size_t size = 0;
    struct bytes part;

    while (size < rest->size && rest->data[size] != (uint8_t)mark) {
        size++;
    }
    part = bytes_of(rest->data, size);
    size += size < rest->size ? 1 : 0;
    *rest = bytes_of(rest->data + size, rest->size - size);
    return part;
}

static bool decimal_read(struct bytes text, uint32_t most, uint32_t *ret_number)
{
    uint32_t number = 0;

    if (text.size == 0 || text.size > 3 || (text.size > 1 && text.data[0] == '0')) {
        return false;
    }
    for (size_t i = 0; i < text.size; i++) {
        if (text.data[i] < '0' || text.data[i] > '9') {
            return false;
        }
        number = number * 10 + (text.data[i] - (uint32_t)'0');
    }
    *ret_number = number;
    return number <= most;
}

static bool group_read(struct bytes text, uint8_t *ret_bytes)
{
    uint32_t number = 0;

    for (size_t i = 0; i < text.size; i++) {
        uint8_t c = text.data[i];
        uint32_t digit = c >= '0' && c <= '9'   ? c - (uint32_t)'0'
                         : c >= 'a' && c <= 'f' ? c - (uint32_t)'a' + 10
                         : c >= 'A' && c <= 'F' ? c - (uint32_t)'A' + 10
                                                : 16;

        if (digit == 16) {
            return false;
        }
        number = number << 4 | digit;
    }
    ret_bytes[0] = (uint8_t)(number >> 8);
    ret_bytes[1] = (uint8_t)number;
    return text.size >= 1 && text.size <= 4;
}

static bool ipv4_read(struct bytes text, uint8_t *ret_bytes)
{
    for (size_t i = 0; i < 4; i++) {
        bool last = i == 3;
        size_t before = text.size;
        uint32_t number;
        struct bytes part = cut(&text, '.');

        if (!decimal_read(part, 255, &number) || (before == part.size) != last) {
            return false;
        }
        ret_bytes[i] = (uint8_t)number;
    }
    return true;
}

static bool has(struct bytes text, char mark)
{
    return text.size > 0 && memchr(text.data, mark, text.size) != NULL;
}

/* Groups between colons, the last perhaps an IPv4 address; how many bytes, or 17 for none. */
static size_t groups_read(struct bytes text, bool last, uint8_t *ret_bytes)
{
    size_t size = 0;
    bool more = text.size > 0;

    while (more) {
        size_t before = text.size;
        struct bytes part = cut(&text, ':');

        more = part.size < before;
        if (!more && last && has(part, '.')) {
            return size <= 12 && ipv4_read(part, ret_bytes + size) ? size + 4 : 17;
        }
        if (size > 14 || !group_read(part, ret_bytes + size)) {
            return 17;
        }
        size += 2;
    }
    return size;
}

/* `::` stands for one group of zeros or more. */
static bool ipv6_read(struct bytes text, uint8_t *ret_bytes)
{
    uint8_t head[16], tail[16];
    size_t gap = 0, head_size, tail_size;

    while (gap + 1 < text.size && (text.data[gap] != ':' || text.data[gap + 1] != ':')) {
        gap++;
    }
    if (gap + 1 >= text.size) {
        return groups_read(text, true, ret_bytes) == 16;
    }
    head_size = groups_read(bytes_of(text.data, gap), false, head);
    tail_size = groups_read(bytes_of(text.data + gap + 2, text.size - gap - 2), true, tail);
    if (head_size > 16 || tail_size > 16 || head_size + tail_size > 14) {
        return false;
    }
    memset(ret_bytes, 0, 16);
    memcpy(ret_bytes, head, head_size);
    memcpy(ret_bytes + 16 - tail_size, tail, tail_size);
    return true;
}

/* Invariant 1: is it IPv4, in one way or the other? */
static void unmap(struct network *network)
{
    static const uint8_t mapped[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

    if (!network->ipv4 && network->bits >= MAPPED_BITS &&
        memcmp(network->address, mapped, sizeof mapped) == 0) {
        memmove(network->address, network->address + sizeof mapped, 4);
        memset(network->address + 4, 0, sizeof network->address - 4);
        network->bits -= MAPPED_BITS;
        network->ipv4 = true;
    }
}

static bool bit_set_at(const struct network *network, uint32_t bit)
{
    return (network->address[bit / 8] >> (7 - bit % 8) & 1) != 0;
}

static bool network_read(struct bytes text, bool prefix, struct network *ret_network)
{
    struct bytes rest = text;
    struct bytes address = cut(&rest, '/');
    bool whole = address.size == text.size;
    struct network network = {.ipv4 = !has(address, ':')};
    uint32_t most = network.ipv4 ? IPV4_BITS : IPV6_BITS;

    if (!(network.ipv4 ? ipv4_read(address, network.address)
                       : ipv6_read(address, network.address))) {
        return false;
    }
    network.bits = most;
    if (!whole && (!prefix || !decimal_read(rest, most, &network.bits))) {
        return false;
    }
    for (uint32_t bit = network.bits; bit < most; bit++) {
        if (bit_set_at(&network, bit)) {
            return false;
        }
    }
    unmap(&network);
    *ret_network = network;
    return true;
}

bool fsm_address_valid(struct bytes address)
{
    struct network network;

    return network_read(address, false, &network);
}

static bool within(const struct network *inner, const struct network *outer)
{
    uint32_t whole = outer->bits / 8, rest = outer->bits % 8;

    if (inner->ipv4 != outer->ipv4 || inner->bits < outer->bits ||
        memcmp(inner->address, outer->address, whole) != 0) {
        return false;
    }
    return rest == 0 || (inner->address[whole] ^ outer->address[whole]) >> (8 - rest) == 0;
}

/* ---- bindings ---- */

struct binding {
    struct bytes fingerprint; /* into the image */
    uint32_t count;
    struct bytes networks[OP_MAX_network];
};

static struct binding open_image(const struct fsm_binding *image)
{
    struct binding binding = {.count = 0};
    struct base_reader reader;

    base_reader_init(&reader, bytes_of(image->image, image->size));
    if (image->size > 0) {
        binding.fingerprint = base_read_short(&reader, OP_FINGERPRINT_MAX);
    }
    while (!base_reader_finished(&reader)) {
        ASSERT(binding.count < OP_MAX_network);
        binding.networks[binding.count++] = base_read_short(&reader, OP_NETWORK_MAX);
        ASSERT(!reader.failed);
    }
    return binding;
}

static void close_image(const struct binding *binding, struct fsm_binding *ret_image)
{
    struct base_writer writer;

    ret_image->size = 0;
    if (binding->fingerprint.size == 0 && binding->count == 0) {
        return;
    }
    base_writer_init(&writer, ret_image->image, sizeof ret_image->image);
    base_write_short(&writer, binding->fingerprint);
    for (uint32_t i = 0; i < binding->count; i++) {
        base_write_short(&writer, binding->networks[i]);
    }
    ret_image->size = (uint32_t)base_written(&writer).size;
}

static void read_image(const struct fsm *fsm, const struct session_record *session,
                       struct fsm_binding *ret_image)
{
    ret_image->size = session->binding_size;
    ASSERT(ret_image->size <= sizeof ret_image->image);
    chain_read(fsm_blocks(fsm), session->binding_chain, ret_image->image, ret_image->size);
}

static bool lies_in(const struct binding *binding, struct bytes text)
{
    struct network inner, outer;
    bool known = network_read(text, true, &inner);

    ASSERT(known);
    for (uint32_t i = 0; i < binding->count; i++) {
        known = network_read(binding->networks[i], true, &outer);
        ASSERT(known);
        if (within(&inner, &outer)) {
            return true;
        }
    }
    return false;
}

static bool same_fingerprint(struct bytes a, struct bytes b)
{
    return a.size == b.size && base_equal_constant_time(a.data, b.data, a.size);
}

bool fsm_networks_valid(const struct op_session_create_request *request)
{
    struct network network;

    for (uint32_t i = 0; i < request->networks_count; i++) {
        if (!network_read(request->networks[i].network, true, &network)) {
            return false;
        }
    }
    return !request->has_networks || request->networks_count > 0;
}

enum op_outcome fsm_binding_ask(struct fsm_context *ctx,
                                const struct op_session_create_request *request,
                                const struct fsm_session *parent, struct fsm_binding *ret_binding)
{
    struct fsm_binding image = {.size = 0};
    struct binding above, own;

    if (parent->head != NULL) {
        read_image(ctx->fsm, parent->record, &image);
    }
    own = above = open_image(&image);
    if (request->has_fingerprint) {
        if (above.fingerprint.size > 0 &&
            !same_fingerprint(above.fingerprint, request->fingerprint)) {
            return fsm_refuse_binding(ctx, "fingerprint");
        }
        own.fingerprint = request->fingerprint;
    }
    for (uint32_t i = 0; request->has_networks && i < request->networks_count; i++) {
        if (above.count > 0 && !lies_in(&above, request->networks[i].network)) {
            return fsm_refuse_binding(ctx, "networks");
        }
        own.networks[i] = request->networks[i].network;
    }
    own.count = request->has_networks ? request->networks_count : above.count;
    close_image(&own, ret_binding);
    return OP_OK;
}

enum op_outcome fsm_binding_admits(struct fsm_context *ctx, const struct fsm_session *session,
                                   const struct bytes *address, const struct bytes *fingerprint)
{
    struct fsm_binding image;
    struct binding binding;

    read_image(ctx->fsm, session->record, &image);
    binding = open_image(&image);
    if (binding.fingerprint.size > 0 &&
        (fingerprint == NULL || !same_fingerprint(binding.fingerprint, *fingerprint))) {
        return fsm_refuse_binding(ctx, "fingerprint");
    }
    if (binding.count > 0 && (address == NULL || !lies_in(&binding, *address))) {
        return fsm_refuse_binding(ctx, "address");
    }
    return OP_OK;
}

uint32_t fsm_binding_list(struct fsm *fsm, const struct session_record *session, uint8_t *buffer,
                          struct bytes *ret_fingerprint, struct op_item_network *ret_networks)
{
    struct fsm_binding image;
    struct binding binding;

    read_image(fsm, session, &image);
    binding = open_image(&image);
    memcpy(buffer, image.image, image.size);
    *ret_fingerprint = BYTES_NONE;
    if (binding.fingerprint.size > 0) {
        *ret_fingerprint = bytes_of(buffer + (binding.fingerprint.data - image.image),
                                    binding.fingerprint.size);
    }
    for (uint32_t i = 0; i < binding.count; i++) {
        ret_networks[i].has_network = true;
        ret_networks[i].network = bytes_of(buffer + (binding.networks[i].data - image.image),
                                           binding.networks[i].size);
    }
    return binding.count;
}
