/* The client's optional thread, and the lock that it shares with callers. Knows no call's meaning.
 *
 * The thread holds the lock while it turns the loop, and lets go of it only to wait for the loop's
 * file descriptor; so callbacks and calls never meet. Callbacks run on the thread alone: a caller
 * that waits never turns the loop, and never runs what is due.
 */
#include <stdlib.h>

#include "base/assert.h"
#include "client-lib/internal.h"
#include "env/loop.h"

struct tenure_thread {
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t left; /* a synchronous caller has its answer */
    size_t callers;      /* synchronous calls that wait */
    bool stopping;
};

bool tenure_on_thread(const struct tenure_client *client)
{
    return client->thread != NULL && pthread_equal(pthread_self(), client->thread->thread) != 0;
}

void tenure_lock(struct tenure_client *client)
{
    if (client->thread != NULL && !tenure_on_thread(client)) {
        ASSERT(pthread_mutex_lock(&client->thread->lock) == 0);
    }
}

void tenure_unlock(struct tenure_client *client)
{
    if (client->thread != NULL && !tenure_on_thread(client)) {
        ASSERT(pthread_mutex_unlock(&client->thread->lock) == 0);
    }
}

void tenure_thread_wake(struct tenure_client *client)
{
    if (client->thread != NULL && !tenure_on_thread(client)) {
        env_wake(client->env);
    }
}

void tenure_thread_ended(struct tenure_client *client, struct tenure_wait *wait)
{
    wait->ended = true;
    if (client->thread != NULL) {
        ASSERT(pthread_cond_signal(&wait->changed) == 0);
    }
}

static void wait_for_thread(struct tenure_thread *thread, struct tenure_wait *wait)
{
    thread->callers++;
    while (!wait->ended) {
        ASSERT(pthread_cond_wait(&wait->changed, &thread->lock) == 0);
    }
    ASSERT(pthread_cond_destroy(&wait->changed) == 0);
    thread->callers--;
    ASSERT(pthread_cond_signal(&thread->left) == 0);
}

void tenure_thread_wait(struct tenure_client *client, struct tenure_wait *wait)
{
    if (client->thread != NULL) {
        ASSERT(pthread_cond_init(&wait->changed, NULL) == 0);
        env_wake(client->env);
        wait_for_thread(client->thread, wait);
        return;
    }
    while (!wait->ended) {
        env_turn(client->env, UINT64_MAX);
    }
}

static void *run(void *arg)
{
    struct tenure_client *client = arg;
    struct tenure_thread *thread = client->thread;
    ASSERT(pthread_mutex_lock(&thread->lock) == 0);
    while (!thread->stopping) {
        env_turn(client->env, 0);
        uint64_t wait = thread->stopping ? 0 : env_timeout_us(client->env);
        ASSERT(pthread_mutex_unlock(&thread->lock) == 0);
        env_wait(client->env, wait);
        ASSERT(pthread_mutex_lock(&thread->lock) == 0);
    }
    tenure_calls_end(client);
    while (thread->callers > 0) {
        ASSERT(pthread_cond_wait(&thread->left, &thread->lock) == 0);
    }
    ASSERT(pthread_mutex_unlock(&thread->lock) == 0);
    return NULL;
}

bool tenure_start_thread(struct tenure_client *client)
{
    if (client->thread != NULL) {
        return true;
    }
    struct tenure_thread *thread = calloc(1, sizeof(*thread));
    if (thread == NULL) {
        return false;
    }
    ASSERT(pthread_mutex_init(&thread->lock, NULL) == 0);
    ASSERT(pthread_cond_init(&thread->left, NULL) == 0);
    client->thread = thread;
    /* Held until `thread->thread` is written: run() and tenure_on_thread read it. */
    ASSERT(pthread_mutex_lock(&thread->lock) == 0);
    int rc = pthread_create(&thread->thread, NULL, run, client);
    ASSERT(pthread_mutex_unlock(&thread->lock) == 0);
    if (rc != 0) {
        client->thread = NULL;
        pthread_cond_destroy(&thread->left);
        pthread_mutex_destroy(&thread->lock);
        free(thread);
    }
    return rc == 0;
}

void tenure_thread_stop(struct tenure_client *client)
{
    struct tenure_thread *thread = client->thread;
    if (thread == NULL) {
        return;
    }
    ASSERT(!tenure_on_thread(client)); /* close is no callback's affair */
    tenure_lock(client);
    thread->stopping = true;
    tenure_unlock(client);
    env_wake(client->env);
    ASSERT(pthread_join(thread->thread, NULL) == 0);
    client->thread = NULL;
    pthread_cond_destroy(&thread->left);
    pthread_mutex_destroy(&thread->lock);
    free(thread);
}
