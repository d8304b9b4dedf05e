/* What bindgen reads. The allow-list in build.rs decides what becomes visible. */
#define _GNU_SOURCE /* fopencookie */
#include <stdio.h>

#include <rte_dev.h>
#include <rte_eal.h>
#include <rte_errno.h>
#include <rte_ethdev.h>
#include <rte_lcore.h>
#include <rte_log.h>
#include <rte_mbuf.h>
#include <rte_mempool.h>
#include <rte_version.h>

#include "shim.h"

/* Macros that expand to expressions, which bindgen skips. */
static const uint64_t SLUICE_TX_FAST_FREE = RTE_ETH_TX_OFFLOAD_MBUF_FAST_FREE;
static const uint64_t SLUICE_RSS_IP = RTE_ETH_RSS_IP;
static const uint32_t SLUICE_DEV_INTR_LSC = RTE_ETH_DEV_INTR_LSC;
