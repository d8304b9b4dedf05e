//! The run-to-completion loop: binds the pipeline to DPDK queues.
