/* The functions that begin and end a fault; faults.c has the table of them. */
#ifndef TESTS_SIM_FAULTS_H
#define TESTS_SIM_FAULTS_H

#include "tests/sim/run.h"

typedef void fault_fn(struct run *run, struct active *active);

/* faults_net.c */
fault_fn fault_cut_one;
fault_fn fault_cut_leader;
fault_fn fault_cut_halves;
fault_fn fault_cut_ring;
fault_fn fault_cut_bridge;
fault_fn fault_cut_one_way;
fault_fn fault_cut_client;
fault_fn fault_heal_network;
fault_fn fault_delay;
fault_fn fault_lose;
fault_fn fault_calm_links;
fault_fn fault_reset;
fault_fn fault_reset_half;

/* duel.c */
fault_fn fault_duel;
fault_fn fault_duel_end;

/* rivals.c */
fault_fn fault_rivals;
fault_fn fault_rivals_end;

/* image.c */
fault_fn fault_image;
fault_fn fault_image_end;

/* upgrade.c */
fault_fn fault_upgrade;

/* churn.c */
fault_fn fault_churn;

/* faults_disk.c */
fault_fn fault_fail_sync;
fault_fn fault_mend_sync;
fault_fn fault_hang_disk;
fault_fn fault_go_on_disk;
fault_fn fault_hang_disks;
fault_fn fault_go_on_disks;
fault_fn fault_slow_disk;
fault_fn fault_fast_disk;
fault_fn fault_fill_disk;
fault_fn fault_empty_disk;
fault_fn fault_fill_disks;
fault_fn fault_empty_disks;
fault_fn fault_flip;
fault_fn fault_misdirect;

#endif
