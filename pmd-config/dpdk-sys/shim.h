/*
 * What DPDK offers only as inline functions or as thread-local variables, exported for Rust.
 *
 * A call into this file is a real call (no optimiser sees across the two languages), so whatever
 * the packet path uses takes a whole burst.
 */
#ifndef SLUICE_SHIM_H
#define SLUICE_SHIM_H

#include <stdint.h>

struct rte_mbuf;
struct rte_mempool;

/* rte_pktmbuf_alloc_bulk: all `count` mbufs (returns 0) or none (a negative errno). */
int sluice_mbuf_alloc_bulk(struct rte_mempool *pool, struct rte_mbuf **mbufs, unsigned int count);

/* rte_errno of the calling thread. */
int sluice_rte_errno(void);

/* rte_lcore_id of the calling thread; UINT32_MAX for a thread unknown to the EAL. */
unsigned int sluice_lcore_id(void);

#endif
