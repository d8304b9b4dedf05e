#include "shim.h"

#include <stddef.h>

#include <rte_errno.h>
#include <rte_ethdev.h>
#include <rte_lcore.h>
#include <rte_mbuf.h>
#include <rte_version.h>

/*
 * Rust reads these fields itself. src/lib.rs states the same numbers about the generated types,
 * so a DPDK with another layout fails to build instead of corrupting frames.
 */
_Static_assert(sizeof(struct rte_mbuf) == 128, "rte_mbuf is two cache lines");
_Static_assert(offsetof(struct rte_mbuf, buf_addr) == 0, "buf_addr");
_Static_assert(offsetof(struct rte_mbuf, data_off) == 16, "data_off");
_Static_assert(offsetof(struct rte_mbuf, nb_segs) == 20, "nb_segs");
_Static_assert(offsetof(struct rte_mbuf, ol_flags) == 24, "ol_flags");
_Static_assert(offsetof(struct rte_mbuf, pkt_len) == 36, "pkt_len");
_Static_assert(offsetof(struct rte_mbuf, data_len) == 40, "data_len");
_Static_assert(offsetof(struct rte_mbuf, buf_len) == 54, "buf_len");
_Static_assert(sizeof(struct rte_eth_fp_ops) == 128, "rte_eth_fp_ops is two cache lines");
_Static_assert(offsetof(struct rte_eth_fp_ops, rx_pkt_burst) == 0, "rx_pkt_burst");
_Static_assert(offsetof(struct rte_eth_fp_ops, tx_pkt_burst) == 64, "tx_pkt_burst");

int
sluice_mbuf_alloc_bulk(struct rte_mempool *pool, struct rte_mbuf **mbufs, unsigned int count)
{
	return rte_pktmbuf_alloc_bulk(pool, mbufs, count);
}

int
sluice_rte_errno(void)
{
	return rte_errno;
}

unsigned int
sluice_lcore_id(void)
{
	return rte_lcore_id();
}
