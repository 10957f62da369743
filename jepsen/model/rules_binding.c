/* The law of bindings: docs/MODEL.md section 4. A network is the row of its leading bits, an
 * address the row of all of its bits; one lies in another when it begins with it.
 */
#include "jepsen/model/rules.h"

enum { GROUPS = 8 };

struct row {
    bool good, ipv4;
    uint32_t count;
    bool bits[128];
};

static void put_bits(struct row *row, uint32_t number, uint32_t count)
{
    for (uint32_t i = count; i > 0; i--) {
        row->bits[row->count++] = (number >> (i - 1) & 1) != 0;
    }
}

/* Where the first `what` begins, or the size. */
static size_t seek(struct bytes text, const char *what)
{
    struct bytes sought = bytes_of_text(what);
    size_t at = 0;

    while (at + sought.size <= text.size &&
           !bytes_equal(bytes_of(text.data + at, sought.size), sought)) {
        at++;
    }
    return at + sought.size <= text.size ? at : text.size;
}

static struct bytes behind(struct bytes text, size_t at)
{
    return at >= text.size ? BYTES_NONE : bytes_of(text.data + at, text.size - at);
}

/* OP_INFINITE when it is no number of that base, of at most so many digits. */
static uint64_t number_of(struct bytes text, uint32_t base, size_t digits_max)
{
    static const char digits[] = "0123456789abcdef0123456789ABCDEF";
    uint64_t number = 0;

    if (text.size == 0 || text.size > digits_max) {
        return OP_INFINITE;
    }
    for (size_t i = 0; i < text.size; i++) {
        uint32_t digit = 0;

        while (digit < 32 && (uint8_t)digits[digit] != text.data[i]) {
            digit++;
        }
        if (digit == 32 || digit % 16 >= base) {
            return OP_INFINITE;
        }
        number = number * base + digit % 16;
    }
    return base == 10 && text.size > 1 && text.data[0] == '0' ? OP_INFINITE : number;
}

static void put_ipv4(struct row *row, struct bytes text)
{
    for (uint32_t i = 0; i < 4; i++) {
        size_t dot = i < 3 ? seek(text, ".") : text.size;
        uint64_t number = number_of(bytes_of(text.data, dot), 10, 3);

        row->good = row->good && number <= 255 && (i == 3 || dot < text.size);
        put_bits(row, (uint32_t)(number & 255), 8);
        text = behind(text, dot + 1);
    }
}

/* Groups up to `most` of them; `tail`: the last may be an IPv4 address. */
static void put_groups(struct row *row, struct bytes text, bool tail, uint32_t most)
{
    uint32_t begun = row->count;

    while (row->good && text.size > 0) {
        size_t colon = seek(text, ":");
        struct bytes group = bytes_of(text.data, colon);
        bool last = colon == text.size;

        if (last && tail && seek(group, ".") < group.size) {
            row->good = row->count - begun + 32 <= most * 16;
            if (row->good) {
                put_ipv4(row, group);
            }
            return;
        }
        uint64_t number = number_of(group, 16, 4);

        row->good = number <= 0xffff && row->count - begun + 16 <= most * 16 &&
                    (last || colon + 1 < text.size);
        if (row->good) {
            put_bits(row, (uint32_t)number, 16);
        }
        text = behind(text, colon + 1);
    }
}

static void put_ipv6(struct row *row, struct bytes text)
{
    size_t gap = seek(text, "::");
    struct row tail = {.good = true};

    if (gap == text.size) {
        put_groups(row, text, true, GROUPS);
        row->good = row->good && row->count == 128;
        return;
    }
    put_groups(row, bytes_of(text.data, gap), false, GROUPS - 1);
    put_groups(&tail, behind(text, gap + 2), true, GROUPS - 1);
    row->good = row->good && tail.good && row->count + tail.count <= (GROUPS - 1) * 16;
    while (row->good && row->count + tail.count < 128) {
        put_bits(row, 0, 16);
    }
    for (uint32_t i = 0; row->good && i < tail.count; i++) {
        row->bits[row->count++] = tail.bits[i];
    }
}

/* RFC 4291, 2.5.5.2: eighty zeros and sixteen ones stand before a mapped IPv4 address. */
static void unmap(struct row *row)
{
    for (uint32_t i = 0; i < 96; i++) {
        if (row->count < 96 || row->ipv4 || row->bits[i] != (i >= 80)) {
            return;
        }
    }
    for (uint32_t i = 96; i < row->count; i++) {
        row->bits[i - 96] = row->bits[i];
    }
    row->count -= 96;
    row->ipv4 = true;
}

static struct row row_of(struct bytes text, bool network)
{
    size_t slash = seek(text, "/");
    struct bytes address = bytes_of(text.data, slash);
    struct row row = {.good = true, .ipv4 = seek(address, ":") == address.size};
    uint64_t prefix;

    if (row.ipv4) {
        put_ipv4(&row, address);
    } else {
        put_ipv6(&row, address);
    }
    if (slash < text.size) {
        prefix = number_of(behind(text, slash + 1), 10, 3);
        row.good = row.good && network && prefix <= row.count;
        for (uint32_t i = (uint32_t)prefix; row.good && i < row.count; i++) {
            row.good = !row.bits[i];
        }
        row.count = row.good ? (uint32_t)prefix : 0;
    }
    if (row.good) {
        unmap(&row);
    }
    return row;
}

static bool lies_in(struct bytes inner_text, struct bytes outer_text)
{
    struct row inner = row_of(inner_text, true), outer = row_of(outer_text, true);
    bool lies = inner.ipv4 == outer.ipv4 && inner.count >= outer.count;

    for (uint32_t i = 0; lies && i < outer.count; i++) {
        lies = inner.bits[i] == outer.bits[i];
    }
    return lies;
}

bool rule_address_valid(struct bytes address)
{
    return row_of(address, false).good;
}

bool rule_networks_valid(const struct op_session_create_request *request)
{
    bool good = !request->has_networks || request->networks_count > 0;

    for (uint32_t i = 0; request->has_networks && i < request->networks_count; i++) {
        good = good && row_of(request->networks[i].network, true).good;
    }
    return good;
}

static bool session_has(struct model *model, const struct session *session, struct bytes text)
{
    bool in = session->network_count == 0;

    for (uint32_t i = 0; i < session->network_count; i++) {
        in = in || lies_in(text, model_names_bytes(model->names, session->networks[i]));
    }
    return in;
}

bool rule_binding_wider(struct model *model, const struct op_session_create_request *request,
                        const struct session *parent)
{
    bool wider = request->has_fingerprint && parent->fingerprint != 0 &&
                 state_name(model, request->fingerprint) != parent->fingerprint;

    for (uint32_t i = 0; request->has_networks && i < request->networks_count; i++) {
        wider = wider || !session_has(model, parent, request->networks[i].network);
    }
    return wider;
}

bool expect_place(struct model *model, uint32_t session, const struct bytes *address,
                  const struct bytes *fingerprint, struct model_expect *expect)
{
    const struct session *of = &model->sessions[session];
    bool same = of->fingerprint == 0 ||
                (fingerprint != NULL && state_name(model, *fingerprint) == of->fingerprint);

    if (address != NULL && !rule_address_valid(*address)) {
        expect_either(expect, OP_INVALID, MODEL_S1, "no address has that form");
        return false;
    }
    if (session == 0) {
        return false;
    }
    if ((same && of->network_count == 0) || model->mutation == MODEL_MUTATION_BINDING_IGNORED ||
        (same && address != NULL && session_has(model, of, *address))) {
        return true;
    }
    expect_refusal(expect, OP_BOUND_ELSEWHERE, MODEL_S12, "the session is bound to another place");
    return false;
}

void apply_binding(struct model *model, const struct op_session_create_request *request,
                   struct session *session)
{
    const struct session *parent = &model->sessions[session->parent];
    bool child = session->parent != 0;

    session->network_count = request->has_networks ? request->networks_count
                             : child               ? parent->network_count
                                                   : 0;
    for (uint32_t i = 0; i < session->network_count; i++) {
        session->networks[i] = request->has_networks
                                   ? state_name(model, request->networks[i].network)
                                   : parent->networks[i];
    }
    session->fingerprint = child ? parent->fingerprint : 0;
    if (request->has_fingerprint) {
        session->fingerprint = state_name(model, request->fingerprint);
    }
}
