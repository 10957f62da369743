/* Inside jepsen/check: fields of op's structs as JSON values, by op's tables. */
#ifndef JEPSEN_CHECK_JSON_H
#define JEPSEN_CHECK_JSON_H

#include "op/op.h"

#include <jansson.h>

/* A new object with each present field. Never NULL. */
json_t *json_of_struct(const struct op_struct *s, const void *value);
/* Reads the fields of `s` from an object, which may have others. False: a field is missing, has the
 * wrong type or is too long; `ret_field` is its name. Borrows texts from `object`; blobs of other
 * forms are decoded into `scratch`, which the caller keeps as long. */
struct json_scratch {
    uint8_t bytes[1024 * 1024];
    size_t used;
};
bool json_to_struct(const json_t *object, const struct op_struct *s, struct json_scratch *scratch,
                    void *ret_value, const char **ret_field);

json_t *json_of_id(struct id128 id);
bool json_to_id(const json_t *value, struct id128 *ret_id);
bool json_to_u64(const json_t *value, uint64_t *ret_value);

#endif
