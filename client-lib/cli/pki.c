/* A private certificate authority in a folder, and certificates from it. Revokes nothing. */
#include <string.h>

#include "client-lib/cli/cli.h"
#include "env/crypto.h"

enum { DAYS_MAX = 36500, CA_DAYS = 3650, LEAF_DAYS = 365, MODE_PUBLIC = 0644, MODE_SECRET = 0600 };

struct pair {
    char certificate[ENV_PEM_MAX];
    char key[ENV_PEM_MAX];
};

static const char *path_of(const struct cli_run *run, const char *folder, const char *name)
{
    size_t size = strlen(folder) + strlen(name) + 1;
    char *path = cli_take(run->memory, size);
    snprintf(path, size, "%s%s", folder, name);
    return path;
}

static bool is_new(const char *path, struct cli_error *ret_error)
{
    return !cli_file_exists(path) ||
           cli_fail(ret_error, "%s exists already: move it away, or name another", path);
}

/* Neither is written when one is there already. The key first: without it the other is of no use.
 */
static bool write_pair(const struct pair *pair, const char *certificate, const char *key,
                       struct cli_error *ret_error)
{
    return is_new(certificate, ret_error) && is_new(key, ret_error) &&
           cli_file_create(key, MODE_SECRET, pair->key, ret_error) &&
           cli_file_create(certificate, MODE_PUBLIC, pair->certificate, ret_error);
}

int cli_run_pki_init(const struct cli_run *run)
{
    struct cli_error error;
    uint64_t days;
    const char *folder = cli_text_of(run, "out");
    const char *name = cli_text_of(run, "name");
    const char *certificate = path_of(run, folder, "/ca.pem");
    const char *key = path_of(run, folder, "/ca.key");
    if (!cli_number_of(run, "days", CA_DAYS, 1, DAYS_MAX, &days, &error)) {
        return cli_complain(run->output, error.text, CLI_USAGE);
    }
    struct pair *pair = cli_take(run->memory, sizeof(*pair));
    int rc = env_pki_ca(name == NULL ? "Tenure CA" : name, (unsigned)days, pair->certificate,
                        pair->key);
    if (rc == ENV_INVALID) {
        return cli_complain(run->output, "--name: give 1 to 64 printable ASCII characters",
                            CLI_USAGE);
    }
    if (rc != 0) {
        return cli_complain(run->output, "OpenSSL could not make the authority", CLI_LOCAL);
    }
    if (!cli_folder_make(folder, &error) || !write_pair(pair, certificate, key, &error)) {
        return cli_complain(run->output, error.text, CLI_LOCAL);
    }
    cli_print_made(run, (struct cli_made[]){{"certificate", certificate}, {"key", key}}, 2);
    return CLI_DONE;
}

/* ---- identities: tenure://CLUSTER/TENANT/ROLE/NAME ---- */

struct identity {
    char segments[4][OP_NAME_MAX];
};

static bool split(const char *uri, struct identity *ret_identity)
{
    static const char scheme[] = "tenure://";
    if (strncmp(uri, scheme, sizeof(scheme) - 1) != 0) {
        return false;
    }
    const char *at = uri + sizeof(scheme) - 1;
    for (size_t i = 0; i < 4; i++) {
        size_t size = strcspn(at, "/");
        bool last = at[size] == '\0';
        if (size == 0 || size >= OP_NAME_MAX || last != (i == 3)) {
            return false;
        }
        memcpy(ret_identity->segments[i], at, size);
        ret_identity->segments[i][size] = '\0';
        at += size + 1;
    }
    return true;
}

static bool check_identity(const char *uri, struct cli_error *ret_error)
{
    struct identity identity;
    uint64_t id;
    if (!split(uri, &identity)) {
        return cli_fail(ret_error, "--identity %s: give tenure://CLUSTER/TENANT/ROLE/NAME", uri);
    }
    const char *tenant = identity.segments[1];
    const char *role = identity.segments[2];
    bool peer = strcmp(role, "peer") == 0;
    bool service = strcmp(role, "service") == 0;
    if (!peer && !service && strcmp(role, "operator") != 0 && strcmp(role, "monitor") != 0) {
        return cli_fail(ret_error,
                        "--identity %s: role %s: give peer, service, operator or monitor", uri,
                        role);
    }
    if (service == (strcmp(tenant, "-") == 0)) {
        return cli_fail(ret_error,
                        "--identity %s: tenant %s: give a name for a service, - for all others",
                        uri, tenant);
    }
    if (peer && (!cli_number_read(identity.segments[3], &id) || id == 0 || id > UINT16_MAX)) {
        return cli_fail(ret_error, "--identity %s: a peer's name is its node id, 1 to 65535", uri);
    }
    return true;
}

static bool read_authority(const struct cli_run *run, const char **ret_certificate,
                           const char **ret_key, struct cli_error *ret_error)
{
    const char *folder = cli_text_of(run, "ca");
    struct bytes certificate;
    struct bytes key;
    if (!cli_file_read(run->memory, path_of(run, folder, "/ca.pem"), &certificate, ret_error) ||
        !cli_file_read(run->memory, path_of(run, folder, "/ca.key"), &key, ret_error)) {
        return false;
    }
    *ret_certificate = (const char *)certificate.data;
    *ret_key = (const char *)key.data;
    return true;
}

int cli_run_pki_issue(const struct cli_run *run)
{
    struct cli_error error;
    uint64_t days;
    const char *identity = cli_text_of(run, "identity");
    const char *prefix = cli_text_of(run, "out");
    if (!cli_number_of(run, "days", LEAF_DAYS, 1, DAYS_MAX, &days, &error) ||
        !check_identity(identity, &error)) {
        return cli_complain(run->output, error.text, CLI_USAGE);
    }
    const char *ca_certificate;
    const char *ca_key;
    if (!read_authority(run, &ca_certificate, &ca_key, &error)) {
        return cli_complain(run->output, error.text, CLI_LOCAL);
    }
    struct pair *pair = cli_take(run->memory, sizeof(*pair));
    int rc = env_pki_issue(ca_certificate, ca_key, identity, (unsigned)days, pair->certificate,
                           pair->key);
    if (rc != 0) {
        (void)cli_fail(&error, "%s: its ca.pem and ca.key are no authority that can issue this",
                       cli_text_of(run, "ca"));
        return cli_complain(run->output, error.text, CLI_LOCAL);
    }
    const char *certificate = path_of(run, prefix, ".pem");
    const char *key = path_of(run, prefix, ".key");
    if (!write_pair(pair, certificate, key, &error)) {
        return cli_complain(run->output, error.text, CLI_LOCAL);
    }
    cli_print_made(run, (struct cli_made[]){{"certificate", certificate}, {"key", key}}, 2);
    return CLI_DONE;
}
