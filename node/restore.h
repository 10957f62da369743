/* The first data folders of a restored cluster (docs/MODEL.md section 6): formatted with the state
 * of a backup, in which all that lived has been ended. Decrypts nothing: tenurectl snapshot restore
 * wrote the image.
 */
#ifndef NODE_RESTORE_H
#define NODE_RESTORE_H

#include "node/bootstrap.h"
#include "node/config.h"

/* As node_format, for a bootstrap file with a restore. False: one line says why; what the folder
 * then holds is no node. */
bool node_restore_format(struct env *env, const struct node_config *config,
                         struct node_bootstrap *bootstrap, char *error, size_t error_size);

#endif
