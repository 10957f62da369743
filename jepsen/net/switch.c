/* jepsen-switch DIR HOSTS: the network between hosts that are network namespaces, as a switch
 * over one TAP device in each. Delays, drops, doubles, reorders and resets what goes from one host
 * to another, for each ordered pair by itself. Gives nobody an address and starts nothing.
 *
 * Host N is the namespace of the file DIR/hN; its device is eth0, its address 192.0.2.N, its MAC
 * 02:00:00:00:00:NN. A line of standard input holds all rules from then on, at once; an empty line
 * takes all away; the end of standard input ends the switch:
 *   1>2:cut  2>3:delay=20000,jitter=5000,loss=50000,double=1000,swap=10000  3>1:reset
 * Times are microseconds, shares are millionths; reset answers the next TCP segment that goes there
 * with the end of its connection, at both ends.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/if.h>
#include <linux/if_tun.h>
#include <poll.h>
#include <sched.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

enum {
    HOSTS_MAX = 15,
    FRAME_MAX = 2048,
    HELD_MAX = 16384, /* frames on their way; what is more is lost, as in a full queue */
    LINE_MAX = 16384,
};

struct rule {
    bool cut, reset;
    uint64_t delay_us, jitter_us;
    uint32_t loss, twice, swap; /* millionths */
};

struct held {
    uint64_t due_us;
    uint64_t order; /* ties go in the order of arrival */
    uint32_t to;
    uint32_t size;
    uint8_t *bytes;
};

struct world {
    uint32_t count;
    int devices[HOSTS_MAX + 1];
    struct rule rules[HOSTS_MAX + 1][HOSTS_MAX + 1];
    struct held *heap;
    uint32_t held;
    uint64_t order;
    uint64_t random;
    char line[LINE_MAX];
    size_t line_size;
    bool ended;
};

static void die(const char *format, ...) __attribute__((format(printf, 1, 2), noreturn));
static void die(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    fprintf(stderr, "jepsen-switch: ");
    vfprintf(stderr, format, arguments);
    fprintf(stderr, ": %s\n", strerror(errno));
    va_end(arguments);
    exit(EXIT_FAILURE);
}

static uint64_t now_us(void)
{
    struct timespec at;
    clock_gettime(CLOCK_MONOTONIC, &at);
    return (uint64_t)at.tv_sec * 1000000 + (uint64_t)at.tv_nsec / 1000;
}

static uint64_t draw(struct world *world, uint64_t below)
{
    world->random ^= world->random << 13;
    world->random ^= world->random >> 7;
    world->random ^= world->random << 17;
    return below == 0 ? 0 : world->random % below;
}

/* ---- devices ---- */

static void open_host(struct world *world, const char *folder, uint32_t host)
{
    char path[512];
    struct ifreq request = {.ifr_flags = IFF_TAP | IFF_NO_PI};
    (void)snprintf(path, sizeof path, "%s/h%u", folder, host);
    int space = open(path, O_RDONLY | O_CLOEXEC);
    if (space < 0 || setns(space, CLONE_NEWNET) != 0) {
        die("%s", path);
    }
    close(space);
    int device = open("/dev/net/tun", O_RDWR | O_CLOEXEC | O_NONBLOCK);
    (void)snprintf(request.ifr_name, IFNAMSIZ, "eth0");
    if (device < 0 || ioctl(device, TUNSETIFF, &request) != 0) {
        die("eth0 of %s", path);
    }
    world->devices[host] = device;
}

/* ---- what is under way: a heap by time ---- */

static bool before(const struct held *a, const struct held *b)
{
    return a->due_us != b->due_us ? a->due_us < b->due_us : a->order < b->order;
}

static void swap_items(struct held *a, struct held *b)
{
    struct held other = *a;
    *a = *b;
    *b = other;
}

static void hold(struct world *world, uint32_t to, const uint8_t *bytes, uint32_t size,
                 uint64_t due_us)
{
    uint8_t *copy = world->held < HELD_MAX ? malloc(size) : NULL;
    if (copy == NULL) {
        return;
    }
    memcpy(copy, bytes, size);
    uint32_t at = world->held++;
    world->heap[at] = (struct held){
        .due_us = due_us, .order = ++world->order, .to = to, .size = size, .bytes = copy};
    for (; at > 0 && before(&world->heap[at], &world->heap[(at - 1) / 2]); at = (at - 1) / 2) {
        swap_items(&world->heap[at], &world->heap[(at - 1) / 2]);
    }
}

static struct held take_first(struct world *world)
{
    struct held first = world->heap[0];
    world->heap[0] = world->heap[--world->held];
    for (uint32_t at = 0;;) {
        uint32_t least = at;
        for (uint32_t child = 2 * at + 1; child <= 2 * at + 2 && child < world->held; child++) {
            least = before(&world->heap[child], &world->heap[least]) ? child : least;
        }
        if (least == at) {
            return first;
        }
        swap_items(&world->heap[at], &world->heap[least]);
        at = least;
    }
}

static void put(struct world *world, uint32_t to, const uint8_t *bytes, uint32_t size)
{
    ssize_t written = write(world->devices[to], bytes, size); /* a full device loses it */
    (void)written;
}

/* ---- one frame ---- */

static uint32_t sum(const uint8_t *bytes, uint32_t size, uint32_t from)
{
    for (uint32_t i = 0; i < size; i++) {
        from += i % 2 == 0 ? (uint32_t)bytes[i] << 8 : bytes[i];
    }
    return from;
}

static uint16_t fold(uint32_t total)
{
    while (total > 0xffff) {
        total = (total & 0xffff) + (total >> 16);
    }
    return (uint16_t)~total;
}

static void store16(uint8_t *to, uint32_t value)
{
    to[0] = (uint8_t)(value >> 8);
    to[1] = (uint8_t)value;
}

enum { ETHER = 14, IP = 20, TCP = 20, SMALLEST = ETHER + IP + TCP };

/* A TCP segment of IPv4 without options, or not. */
static bool is_tcp(const uint8_t *frame, uint32_t size)
{
    return size >= SMALLEST && frame[12] == 8 && frame[13] == 0 && frame[14] == 0x45 &&
           frame[23] == 6;
}

/* Makes the segment the end of its connection: no data, RST and ACK. Returns its size. */
static uint32_t make_reset(uint8_t *frame)
{
    uint8_t *ip = frame + ETHER, *tcp = ip + IP;
    store16(ip + 2, IP + TCP);
    store16(ip + 10, 0);
    store16(ip + 10, fold(sum(ip, IP, 0)));
    tcp[12] = TCP / 4 << 4;
    tcp[13] = 0x14;
    store16(tcp + 16, 0);
    store16(tcp + 16, fold(sum(tcp, TCP, sum(ip + 12, 8, 6 + TCP))));
    return SMALLEST;
}

/* The same for who sent it: as if the other side said so. False: it tells nothing to say it by. */
static bool make_reset_back(const uint8_t *frame, uint8_t back[SMALLEST])
{
    memcpy(back, frame, SMALLEST);
    memcpy(back, frame + 6, 6);
    memcpy(back + 6, frame, 6);
    memcpy(back + 26, frame + 30, 4);
    memcpy(back + 30, frame + 26, 4);
    memcpy(back + 34, frame + 36, 2);
    memcpy(back + 36, frame + 34, 2);
    memcpy(back + 38, frame + 42, 4); /* its acknowledgement is our sequence */
    memset(back + 42, 0, 4);
    (void)make_reset(back);
    return (frame[47] & 0x10) != 0;
}

static void send_one(struct world *world, uint32_t from, uint32_t to, const uint8_t *frame,
                     uint32_t size)
{
    struct rule *rule = &world->rules[from][to];
    uint8_t changed[FRAME_MAX], back[SMALLEST];
    if (rule->cut || draw(world, 1000000) < rule->loss) {
        return;
    }
    if (rule->reset && is_tcp(frame, size)) {
        rule->reset = false;
        memcpy(changed, frame, size);
        if (make_reset_back(frame, back)) {
            put(world, from, back, SMALLEST);
        }
        put(world, to, changed, make_reset(changed));
        return;
    }
    uint64_t wait_us = rule->delay_us + draw(world, rule->jitter_us);
    bool late = draw(world, 1000000) < rule->swap;
    uint32_t copies = draw(world, 1000000) < rule->twice ? 2 : 1;
    for (uint32_t i = 0; i < copies; i++) {
        if (wait_us == 0 && !late && i == 0) {
            put(world, to, frame, size);
        } else {
            hold(world, to, frame, size, now_us() + wait_us + (late ? 3000 : 0) + i * 500);
        }
    }
}

static void forward(struct world *world, uint32_t from)
{
    uint8_t frame[FRAME_MAX];
    for (unsigned i = 0; i < 64; i++) {
        ssize_t size = read(world->devices[from], frame, sizeof frame);
        if (size < ETHER) {
            return;
        }
        bool all = (frame[0] & 1) != 0;
        for (uint32_t to = 1; to <= world->count; to++) {
            if (to != from && (all || frame[5] == to)) {
                send_one(world, from, to, frame, (uint32_t)size);
            }
        }
    }
}

/* ---- rules ---- */

static void set_one(struct rule *rule, const char *word)
{
    const char *equals = strchr(word, '=');
    uint64_t value = equals == NULL ? 0 : strtoull(equals + 1, NULL, 10);
    rule->cut = rule->cut || strcmp(word, "cut") == 0;
    rule->reset = rule->reset || strcmp(word, "reset") == 0;
    if (strncmp(word, "delay=", 6) == 0) {
        rule->delay_us = value;
    } else if (strncmp(word, "jitter=", 7) == 0) {
        rule->jitter_us = value;
    } else if (strncmp(word, "loss=", 5) == 0) {
        rule->loss = (uint32_t)value;
    } else if (strncmp(word, "double=", 7) == 0) {
        rule->twice = (uint32_t)value;
    } else if (strncmp(word, "swap=", 5) == 0) {
        rule->swap = (uint32_t)value;
    }
}

static void obey(struct world *world)
{
    char *rest = NULL, *word, *inner;
    memset(world->rules, 0, sizeof world->rules);
    for (word = strtok_r(world->line, " ", &rest); word != NULL;
         word = strtok_r(NULL, " ", &rest)) {
        unsigned from, to;
        char *colon = strchr(word, ':');
        if (colon == NULL || sscanf(word, "%u>%u:", &from, &to) != 2 || from > HOSTS_MAX ||
            to > HOSTS_MAX) {
            fprintf(stderr, "jepsen-switch: \"%s\" is no rule\n", word);
            exit(EXIT_FAILURE);
        }
        for (word = strtok_r(colon + 1, ",", &inner); word != NULL;
             word = strtok_r(NULL, ",", &inner)) {
            set_one(&world->rules[from][to], word);
        }
    }
}

static void read_rules(struct world *world)
{
    char bytes[4096];
    ssize_t size = read(STDIN_FILENO, bytes, sizeof bytes);
    if (size <= 0) {
        world->ended = true;
    }
    for (ssize_t i = 0; i < size; i++) {
        if (bytes[i] == '\n') {
            world->line[world->line_size] = '\0';
            world->line_size = 0;
            obey(world);
        } else if (world->line_size < LINE_MAX - 1) {
            world->line[world->line_size++] = bytes[i];
        }
    }
}

/* ---- the loop ---- */

static void turn(struct world *world)
{
    struct pollfd ready[HOSTS_MAX + 1] = {{.fd = STDIN_FILENO, .events = POLLIN}};
    struct timespec wait = {.tv_sec = 1};
    uint64_t now = now_us();
    for (uint32_t host = 1; host <= world->count; host++) {
        ready[host] = (struct pollfd){.fd = world->devices[host], .events = POLLIN};
    }
    if (world->held > 0) {
        uint64_t due = world->heap[0].due_us;
        uint64_t left = due > now ? due - now : 0;
        wait = (struct timespec){.tv_sec = (time_t)(left / 1000000),
                                 .tv_nsec = (long)(left % 1000000 * 1000)};
    }
    (void)ppoll(ready, world->count + 1, &wait, NULL);
    if (ready[0].revents != 0) {
        read_rules(world);
    }
    for (uint32_t host = 1; host <= world->count; host++) {
        if (ready[host].revents != 0) {
            forward(world, host);
        }
    }
    for (now = now_us(); world->held > 0 && world->heap[0].due_us <= now;) {
        struct held first = take_first(world);
        put(world, first.to, first.bytes, first.size);
        free(first.bytes);
    }
}

int main(int argc, char **argv)
{
    static struct world world;
    unsigned count = 0;
    if (argc != 3 || sscanf(argv[2], "%u", &count) != 1 || count < 1 || count > HOSTS_MAX) {
        fprintf(stderr, "usage: jepsen-switch FOLDER-OF-NAMESPACES HOSTS\n");
        return 2;
    }
    world.count = count;
    world.random = now_us() | 1;
    world.heap = calloc(HELD_MAX, sizeof *world.heap);
    if (world.heap == NULL) {
        die("no memory");
    }
    for (uint32_t host = 1; host <= world.count; host++) {
        open_host(&world, argv[1], host);
    }
    puts("ready");
    fflush(stdout);
    while (!world.ended) {
        turn(&world);
    }
    return EXIT_SUCCESS;
}
