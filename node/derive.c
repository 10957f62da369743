/* One keyed hash over length-framed texts (RFC 2104). */
#include "node/derive.h"

#include "base/assert.h"
#include "base/encode.h"
#include "env/crypto.h"

enum { FRAMES = 4, INPUT_MAX = FRAMES * (8 + OP_NAME_MAX) };

static void frame(struct base_writer *writer, struct bytes text)
{
    base_write_u64(writer, text.size);
    base_write_bytes(writer, text);
}

void node_derive(const uint8_t key[NODE_DERIVE_KEY], const struct node_derive_source *source,
                 uint8_t ret_value[32])
{
    uint8_t input[INPUT_MAX];
    struct base_writer writer;

    base_writer_init(&writer, input, sizeof(input));
    frame(&writer, bytes_of_text("tenure session.derive 1")); /* other uses of the key, if any */
    frame(&writer, source->tenant);
    frame(&writer, bytes_of(source->session.bytes, sizeof(source->session.bytes)));
    frame(&writer, source->label);
    ASSERT(!writer.failed);
    env_hmac_sha256(bytes_of(key, NODE_DERIVE_KEY), base_written(&writer), ret_value);
}
