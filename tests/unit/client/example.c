/* A whole program over an installed libtenure: revokes what a user has open. No part of the tree.
 *
 * Usage: example SERVER CA CERTIFICATE KEY USER
 */
#include <inttypes.h>
#include <stdio.h>

#include <tenure.h>

static int revoke(struct tenure_client *client, const char *user)
{
    struct tenure_revoke_user_request request = {.user = tenure_text(user)};
    struct tenure_revoke_user_reply reply;
    struct tenure_result result;
    enum tenure_outcome outcome = tenure_revoke_user(client, &request, &reply, &result);
    switch (tenure_outcome_class(outcome)) {
    case TENURE_CLASS_DONE:
        printf("revoked up to %" PRIu64 "\n", reply.watermark);
        break;
    case TENURE_CLASS_REFUSED:
        printf("refused: %s: %s\n", tenure_outcome_name(outcome), result.message);
        break;
    case TENURE_CLASS_RETRY:
        printf("nothing happened: %s: %s\n", tenure_outcome_name(outcome), result.message);
        break;
    case TENURE_CLASS_UNKNOWN:
        printf("it may have happened: %s: %s\n", tenure_outcome_name(outcome), result.message);
        break;
    }
    tenure_result_done(&result);
    return (int)tenure_outcome_class(outcome);
}

int main(int argc, char **argv)
{
    if (argc != 6) {
        fprintf(stderr, "usage: example SERVER CA CERTIFICATE KEY USER\n");
        return 64;
    }
    const char *servers[] = {argv[1]};
    struct tenure_options options = {.servers = servers,
                                     .server_count = 1,
                                     .ca = argv[2],
                                     .certificate = argv[3],
                                     .key = argv[4],
                                     .software = "example " TENURE_VERSION,
                                     .timeout_us = 1000000};
    struct tenure_client *client;
    char error[512];
    if (!tenure_open(&options, error, sizeof(error), &client)) {
        fprintf(stderr, "%s\n", error);
        return 65;
    }
    int code = revoke(client, argv[5]);
    tenure_close(client);
    return code;
}
