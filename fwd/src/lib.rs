//! The data plane: pipeline, MAC table, counters.
