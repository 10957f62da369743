/* jepsen-flip FILE AT [EVERY]: one bit of FILE's byte AT is another, and of each EVERY-th byte
 * after it. Which bit, goes by the byte's place. Restores nothing. */
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

int main(int argc, char **argv)
{
    if (argc < 3 || argc > 4) {
        fprintf(stderr, "usage: jepsen-flip FILE AT [EVERY]\n");
        return 2;
    }
    off_t at = strtoll(argv[2], NULL, 10), every = argc == 4 ? strtoll(argv[3], NULL, 10) : 0;
    int file = open(argv[1], O_RDWR | O_CLOEXEC);
    uint8_t byte;
    unsigned flipped = 0;
    while (file >= 0 && pread(file, &byte, 1, at) == 1) {
        byte = (uint8_t)(byte ^ 1U << ((unsigned)at * 5 / 8 % 8));
        if (pwrite(file, &byte, 1, at) != 1) {
            break;
        }
        flipped++;
        at += every;
        if (every <= 0) {
            break;
        }
    }
    if (flipped == 0) {
        perror(argv[1]);
        return 1;
    }
    close(file);
    printf("%u\n", flipped);
    return 0;
}
